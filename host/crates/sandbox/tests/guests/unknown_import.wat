;; Imports what no host has.
(component
  (import "acme:store/kv@1.2.0" (instance (export "get" (func (result u32)))))
  (import "wasi:cli/environment@0.3.0" (instance))
  (core module $m (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
