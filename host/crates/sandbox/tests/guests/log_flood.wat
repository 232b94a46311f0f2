;; Logs for ever (`run`), or three lines and a report of progress (`talk`).
(component
  (import "flowhost:plugin/log@0.1.0" (instance $log
    (type $l (enum "trace" "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $l)))
    (export "write" (func (param "level" $level) (param "message" string)))))
  (import "flowhost:plugin/progress@0.1.0" (instance $progress
    (export "report" (func (param "percent" (option u8)) (param "note" string)))))
  (core module $libc (memory (export "memory") 1) (data (i32.const 16) "a line of the log"))
  (core instance $libc (instantiate $libc))
  (core func $write (canon lower (func $log "write") (memory (core memory $libc "memory"))))
  (core func $report (canon lower (func $progress "report") (memory (core memory $libc "memory"))))
  (core module $m
    (import "host" "write" (func $write (param i32 i32 i32)))
    (import "host" "report" (func $report (param i32 i32 i32 i32)))
    (func (export "run") (loop (call $write (i32.const 2) (i32.const 16) (i32.const 17)) (br 0)))
    (func (export "talk")
      (call $write (i32.const 2) (i32.const 16) (i32.const 6))
      (call $write (i32.const 3) (i32.const 18) (i32.const 4))
      (call $write (i32.const 4) (i32.const 16) (i32.const 17))
      (call $report (i32.const 1) (i32.const 200) (i32.const 16) (i32.const 6))))
  (core instance $i (instantiate $m
    (with "host" (instance (export "write" (func $write)) (export "report" (func $report))))))
  (func (export "run") (canon lift (core func $i "run")))
  (func (export "talk") (canon lift (core func $i "talk"))))
