#pragma once
// The examples of all anomalies as texts: of each a heading "= NAME MODEL LEVEL KEY=VALUE…" and a history in the
// language of example_text.h. A heading's MODEL is a checker of the run where its LEVEL is "-", and the words `log` and
// `recorded` stand for themselves. Thread-safety: immutable.

#include <string_view>

namespace ordeal {

[[nodiscard]] std::string_view object_examples();
[[nodiscard]] std::string_view transaction_examples();
[[nodiscard]] std::string_view workload_examples();
[[nodiscard]] std::string_view message_examples();
[[nodiscard]] std::string_view run_examples();

}  // namespace ordeal
