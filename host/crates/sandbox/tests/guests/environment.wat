;; Fails without variables in its environment (`run`), or traps (`trap`); `all` returns them.
(component
  (import "wasi:cli/environment@0.2.0" (instance $env
    (export "get-environment" (func (result (list (tuple string string)))))))
  (core module $libc
    (memory (export "memory") 2)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (core func $get (canon lower (func $env "get-environment")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $m
    (import "libc" "memory" (memory 1))
    (import "host" "get" (func $get (param i32)))
    (func (export "run") (result i32) (call $get (i32.const 0)) (i32.eqz (i32.load (i32.const 4))))
    (func (export "trap") (call $get (i32.const 0)) unreachable)
    (func (export "all") (result i32) (call $get (i32.const 0)) (i32.const 0)))
  (core instance $i (instantiate $m (with "libc" (instance $libc)) (with "host" (instance (export "get" (func $get))))))
  (func (export "run") (result (result)) (canon lift (core func $i "run")))
  (func (export "trap") (canon lift (core func $i "trap")))
  (func (export "all") (result (list (tuple string string)))
    (canon lift (core func $i "all") (memory (core memory $libc "memory")))))
