#pragma once
// What of the controller's environment an adapter gets: what programs need to run at all, and no secrets. An adapter
// may be somebody else's, and so may what it loads.
//
// Thread-safety: reads the environment, which nothing here changes.

#include <string>
#include <string_view>
#include <vector>

namespace ordeal {

// Whether a variable of that name is passed on by itself: the path, the user, the language and time zone, temporary
// directories, where interpreters find their libraries, sanitizers' options, and ORDEAL_ADAPTER_….
[[nodiscard]] bool is_passed_on(std::string_view name);

// "NAME=value", of all variables that are passed on or among `more`.
[[nodiscard]] std::vector<std::string> adapter_environment(const std::vector<std::string>& more);

}  // namespace ordeal
