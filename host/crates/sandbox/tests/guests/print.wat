;; Writes two lines to its standard output, the second without an end; `flood` writes for ever.
(component
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $e))
    (export "error" (type $error (eq $e)))
    (type $se (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $se)))
    (export "output-stream" (type $out (sub resource)))
    (export "[method]output-stream.blocking-write-and-flush" (func (param "self" (borrow $out))
      (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $out))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $out (type $o))
    (export "output-stream" (type $out (eq $o)))
    (export "get-stdout" (func (result (own $out))))))
  (core module $libc (memory (export "memory") 1) (data (i32.const 16) "first line\nsecond"))
  (core instance $libc (instantiate $libc))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory (core memory $libc "memory"))))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core module $m
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "stdout" (func $stdout (result i32)))
    (func (export "run") (call $write (call $stdout) (i32.const 16) (i32.const 17) (i32.const 64)))
    (func (export "flood") (local $out i32)
      (local.set $out (call $stdout))
      (loop (call $write (local.get $out) (i32.const 16) (i32.const 17) (i32.const 64)) (br 0))))
  (core instance $i (instantiate $m
    (with "host" (instance (export "write" (func $write)) (export "stdout" (func $stdout))))))
  (func (export "run") (canon lift (core func $i "run")))
  (func (export "flood") (canon lift (core func $i "flood"))))
