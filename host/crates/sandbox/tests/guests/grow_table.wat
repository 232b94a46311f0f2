;; Grows its table until it cannot, then traps.
(component
  (core module $m
    (table $t 1 funcref)
    (func (export "run")
      (loop (br_if 0 (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
      unreachable))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
