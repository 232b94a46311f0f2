;; Returns what it can learn about its attempt.
(component
  (import "flowhost:plugin/failure@0.1.0" (instance $failures
    (type $k (enum "invalid-input" "calculation" "logic" "permission" "resource" "timeout" "network" "dependency"
      "internal" "error"))
    (export "failure-kind" (type $kind (eq $k)))
    (type $f (record (field "kind" $kind) (field "message" string) (field "details" (option string))
      (field "retry-after" (option u64))))
    (export "failure" (type (eq $f)))))
  (alias export $failures "failure" (type $failure))
  (import "flowhost:plugin/attempt@0.1.0" (instance $attempt
    (alias outer 1 $failure (type $f))
    (export "failure" (type $failure (eq $f)))
    (type $a (record (field "idempotency-key" string) (field "number" u32) (field "previous-failure" (option $failure))))
    (export "attempt-info" (type $info (eq $a)))
    (export "current" (func (result $info)))))
  (alias export $attempt "attempt-info" (type $info))
  (core module $libc
    (memory (export "memory") 2)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (core func $current (canon lower (func $attempt "current")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $m
    (import "host" "current" (func $current (param i32)))
    (func (export "run") (result i32) (call $current (i32.const 0)) (i32.const 0)))
  (core instance $i (instantiate $m (with "host" (instance (export "current" (func $current))))))
  (func (export "run") (result $info) (canon lift (core func $i "run") (memory (core memory $libc "memory")))))
