#pragma once
// Background: work that an agent leaves behind on the node while a fault is in force.
//
// It runs in a process of its own until the fault's folder is gone or end_background() asks it to end; who it is stands
// in FOLDER/background. It is asked, not killed, since it may have a process in its hands.

#include <functional>
#include <string>

namespace ordeal::agent {

[[nodiscard]] bool exists(const std::string& path);
[[nodiscard]] bool write_file(const std::string& path, const std::string& text);

// Holds back all signals, so that this program ends at none before it is done.
void hold_signals();

// Leaves `work` behind; it must look at keep_going() at least every second. False when that fails. Requires:
// hold_signals() was called. Waits until the work runs.
[[nodiscard]] bool start_background(const std::string& folder, const std::function<void()>& work);
[[nodiscard]] bool keep_going(const std::string& folder);

// Returns when no work of this folder runs any more.
void end_background(const std::string& folder);

}  // namespace ordeal::agent
