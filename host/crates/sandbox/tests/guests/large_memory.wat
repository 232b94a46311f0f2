;; Has 64 MiB of memory from the start.
(component
  (core module $m (memory 1024) (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
