;; Traps in several ways.
(component
  (core module $m
    (memory 1)
    (func (export "unreachable") unreachable)
    (func (export "divide") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
    (func (export "outside") (drop (i32.load (i32.const 100000)))))
  (core instance $i (instantiate $m))
  (func (export "unreachable") (canon lift (core func $i "unreachable")))
  (func (export "divide") (param "by" u32) (result u32) (canon lift (core func $i "divide")))
  (func (export "outside") (canon lift (core func $i "outside"))))
