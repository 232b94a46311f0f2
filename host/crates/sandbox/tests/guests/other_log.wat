;; Imports the host's log with another type than it has.
(component
  (import "flowhost:plugin/log@0.1.0" (instance $log (export "write" (func (param "message" u32)))))
  (core func $write (canon lower (func $log "write")))
  (core module $m (import "host" "write" (func $write (param i32))) (func (export "run") (call $write (i32.const 1))))
  (core instance $i (instantiate $m (with "host" (instance (export "write" (func $write))))))
  (func (export "run") (canon lift (core func $i "run"))))
