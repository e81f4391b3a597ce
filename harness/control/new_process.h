#pragma once
// What happens between fork and exec in every program that the controller starts on its own machine.
//
// A child of a program with many threads inherits whatever those have open at that moment. O_CLOEXEC alone does not
// prevent it: the standard library's file streams do not set it, and Boost.Process sets it on the pipe on which it
// learns of a failed exec only after making that pipe. When another thread forks in between, the other program holds
// the pipe for as long as it lives, and whoever waits for its end waits as long.

#include <sys/types.h>

namespace ordeal {

// Leaves to the program only its standard streams, and to these signals their usual meaning: none is blocked, SIGPIPE
// kills. SIGINT and SIGHUP stay ignored where they are (nohup). To be called in the child; async-signal-safe.
void inherit_nothing() noexcept;

// The child is killed when the thread that forked it ends, however that comes about. Ends the child at once when
// `parent`, the process that forked it, is gone already. To be called in the child; async-signal-safe.
void die_with_parent(pid_t parent) noexcept;

}  // namespace ordeal
