#pragma once
// Where the names of anomalies come from. Thread-safety: immutable.

#include <string>
#include <string_view>
#include <vector>

namespace ordeal {

// Of an anomaly, and of the model that its example is judged by; never empty.
[[nodiscard]] std::vector<std::string> sources_of(std::string_view anomaly, std::string_view model);

}  // namespace ordeal
