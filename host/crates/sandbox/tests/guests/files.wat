;; Opens `path` in the first folder that it has, to read or to write. Fails when it has no folder (9) or is refused
;; (the number of WASI's error code); `cope` returns whether it has a folder at all.
(component
  (import "wasi:filesystem/types@0.2.0" (instance $types
    (export "descriptor" (type $descriptor (sub resource)))
    (type $path-flags' (flags "symlink-follow"))
    (export "path-flags" (type $path-flags (eq $path-flags')))
    (type $open-flags' (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $open-flags (eq $open-flags')))
    (type $descriptor-flags' (flags "read" "write" "file-integrity-sync" "data-integrity-sync"
      "requested-write-sync" "mutate-directory"))
    (export "descriptor-flags" (type $descriptor-flags (eq $descriptor-flags')))
    (type $error-code' (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist"
      "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory" "loop"
      "too-many-links" "message-size" "name-too-long" "no-device" "no-entry" "no-lock" "insufficient-memory"
      "insufficient-space" "not-directory" "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device"
      "overflow" "not-permitted" "pipe" "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $error-code (eq $error-code')))
    (export "[method]descriptor.open-at" (func
      (param "self" (borrow $descriptor)) (param "path-flags" $path-flags) (param "path" string)
      (param "open-flags" $open-flags) (param "flags" $descriptor-flags)
      (result (result (own $descriptor) (error $error-code)))))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $d))
    (export "descriptor" (type $descriptor (eq $d)))
    (export "get-directories" (func (result (list (tuple (own $descriptor) string)))))))
  (core module $libc
    (memory (export "memory") 2)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (core func $open-at (canon lower (func $types "[method]descriptor.open-at")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $directories (canon lower (func $preopens "get-directories")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $m
    (import "libc" "memory" (memory 1))
    (import "host" "open-at" (func $open-at (param i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "directories" (func $directories (param i32)))
    ;; The number of folders; the list is at 0.
    (func $folders (result i32) (call $directories (i32.const 0)) (i32.load (i32.const 4)))
    (func (export "open") (param $path i32) (param $len i32) (param $write i32) (result i32)
      (i32.store8 (i32.const 100) (i32.const 1))
      (i32.store8 (i32.const 101) (i32.const 9))
      (if (call $folders)
        (then
          ;; The result: case at 16, the descriptor or the error code at 20.
          (call $open-at (i32.load (i32.load (i32.const 0))) (i32.const 1) (local.get $path) (local.get $len)
            (local.get $write) (i32.add (i32.const 1) (i32.shl (local.get $write) (i32.const 1))) (i32.const 16))
          (i32.store8 (i32.const 100) (i32.load8_u (i32.const 16)))
          (i32.store8 (i32.const 101) (i32.load8_u (i32.const 20)))))
      (i32.const 100))
    (func (export "cope") (result i32) (i32.ne (call $folders) (i32.const 0)))
    ;; The path of the first folder: its text is 4 bytes into the first element.
    (func (export "where") (result i32) (drop (call $folders)) (i32.add (i32.load (i32.const 0)) (i32.const 4))))
  (core instance $i (instantiate $m
    (with "libc" (instance $libc))
    (with "host" (instance (export "open-at" (func $open-at)) (export "directories" (func $directories))))))
  (func (export "open") (param "path" string) (param "write" bool) (result (result (error u8)))
    (canon lift (core func $i "open") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (func (export "where") (result string)
    (canon lift (core func $i "where") (memory (core memory $libc "memory"))))
  (func (export "cope") (result bool) (canon lift (core func $i "cope"))))
