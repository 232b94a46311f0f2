;; An async export that returns its argument plus one.
(component
  (core func $return (canon task.return (result u32)))
  (core module $m
    (import "host" "return" (func $return (param i32)))
    (func (export "run") (param i32) (result i32) (call $return (i32.add (local.get 0) (i32.const 1))) (i32.const 0))
    (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
  (core instance $i (instantiate $m (with "host" (instance (export "return" (func $return))))))
  (func (export "run") async (param "n" u32) (result u32)
    (canon lift (core func $i "run") async (callback (core func $i "callback")))))
