;; Has as many memories as an attempt may have.
(component
  (core module $m (memory 1) (memory 1) (memory 1) (memory 1) (func (export "run")))
  (core instance $i (instantiate $m))
  (core instance (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
