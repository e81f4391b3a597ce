#include "nemesis/engine/fault_log.h"

namespace ordeal {

void FaultLog::begin(NemesisLog& log) {
  const std::scoped_lock lock(clock_mutex_, sink_mutex_);
  sink_ = &log;
  began_ns_ = log.now_ns();
  began_ = Clock::now();
}

void FaultLog::end() {
  const std::lock_guard lock(sink_mutex_);
  sink_ = nullptr;
}

NemesisLog* FaultLog::sink() {
  const std::lock_guard lock(sink_mutex_);
  return sink_;
}

std::int64_t FaultLog::now_ns() const { return at_ns(Clock::now()); }

std::int64_t FaultLog::at_ns(std::chrono::steady_clock::time_point moment) const {
  const std::lock_guard lock(clock_mutex_);
  return began_ns_ + std::chrono::duration_cast<std::chrono::nanoseconds>(moment - began_).count();
}

double FaultLog::now_s() const {
  const std::lock_guard lock(clock_mutex_);
  return std::chrono::duration<double>(Clock::now() - began_).count();
}

void FaultLog::write(const FaultEvent& event) {
  const std::lock_guard lock(sink_mutex_);
  if (sink_ != nullptr) sink_->record(event.fault, event.value);
}

}  // namespace ordeal
