;; Grows its memory until it cannot, then traps (`run`), gives an error (`fail`), or copes (`cope`: how many pages it got).
(component
  (core module $m
    (memory (export "memory") 1)
    (func $grow (result i32)
      (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      (memory.size))
    (func (export "run") (drop (call $grow)) unreachable)
    (func (export "fail") (result i32) (drop (call $grow)) (i32.const 1))
    (func (export "cope") (result i32) (call $grow)))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run")))
  (func (export "fail") (result (result)) (canon lift (core func $i "fail")))
  (func (export "cope") (result u32) (canon lift (core func $i "cope"))))
