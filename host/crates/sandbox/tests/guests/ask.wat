;; Asks the role `agent` and waits; fails when it gets no answer.
(component
  (import "flowhost:plugin/failure@0.1.0" (instance $failures
    (type $k (enum "invalid-input" "calculation" "logic" "permission" "resource" "timeout" "network" "dependency"
      "internal" "error"))
    (export "failure-kind" (type $kind (eq $k)))
    (type $f (record (field "kind" $kind) (field "message" string) (field "details" (option string))
      (field "retry-after" (option u64))))
    (export "failure" (type (eq $f)))))
  (alias export $failures "failure" (type $failure))
  (import "flowhost:plugin/mail@0.1.0" (instance $mail
    (alias outer 1 $failure (type $f))
    (export "failure" (type $failure (eq $f)))
    (export "ask" (func (param "role" string) (param "message" string) (param "deadline" (option u64))
      (result (result string (error $failure)))))))
  (core module $libc
    (memory (export "memory") 2)
    (data (i32.const 16) "agent{}")
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (core func $ask (canon lower (func $mail "ask")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $m
    (import "libc" "memory" (memory 1))
    (import "host" "ask" (func $ask (param i32 i32 i32 i32 i32 i64 i32)))
    (func (export "run") (result i32)
      (call $ask (i32.const 16) (i32.const 5) (i32.const 21) (i32.const 2) (i32.const 0) (i64.const 0) (i32.const 64))
      (i32.load8_u (i32.const 64))))
  (core instance $i (instantiate $m
    (with "libc" (instance $libc))
    (with "host" (instance (export "ask" (func $ask))))))
  (func (export "run") (result (result)) (canon lift (core func $i "run"))))
