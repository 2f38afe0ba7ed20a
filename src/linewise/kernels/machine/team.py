"""What each thread of a team runs: a program, with its share of the arguments."""

from __future__ import annotations

TEAM = """
define void @{name}(ptr %job) nounwind {{
entry:
  %program = load ptr, ptr %job
  %count.at = getelementptr i64, ptr %job, i64 1
  %count = load i64, ptr %count.at
  %size.at = getelementptr i64, ptr %job, i64 2
  %size = load i64, ptr %size.at
  %start.at = getelementptr i64, ptr %job, i64 3
  %start = load ptr, ptr %start.at
  %number.at = getelementptr i64, ptr %job, i64 4
  %number = load ptr, ptr %number.at
  %threads.at = getelementptr i64, ptr %job, i64 5
  %threads = load ptr, ptr %threads.at
  %number32 = call i32 %number()
  %threads32 = call i32 %threads()
  %first = sext i32 %number32 to i64
  %step = sext i32 %threads32 to i64
  br label %test
test:
  %i = phi i64 [ %first, %entry ], [ %next, %do ]
  %go = icmp slt i64 %i, %count
  br i1 %go, label %do, label %end
do:
  %offset = mul i64 %i, %size
  %share = getelementptr i8, ptr %start, i64 %offset
  call void %program(ptr %share)
  %next = add i64 %i, %step
  br label %test
end:
  ret void
}}
"""
"""For each thread of a team: the shares number, number + threads, … of a job (program, shares, bytes of a share's
arguments, arguments, and two functions that tell the thread's number and how many there are)."""

LIST = """
define void @{name}(ptr %share) nounwind {{
entry:
  %start = load ptr, ptr %share
  %count.at = getelementptr i64, ptr %share, i64 1
  %count = load i64, ptr %count.at
  %size.at = getelementptr i64, ptr %share, i64 2
  %size = load i64, ptr %size.at
  br label %test
test:
  %i = phi i64 [ 0, %entry ], [ %next, %do ]
  %go = icmp slt i64 %i, %count
  br i1 %go, label %do, label %end
do:
  %offset = mul i64 %i, %size
  %line = getelementptr i8, ptr %start, i64 %offset
  %program = load ptr, ptr %line
  %args = getelementptr i64, ptr %line, i64 1
  call void %program(ptr %args)
  %next = add i64 %i, 1
  br label %test
end:
  ret void
}}
"""
"""A share that is a list of calls, one after another: lines of so many bytes, each a program and its arguments."""
