#pragma once
// Users: the processes that keep a file system busy.

#include <string>
#include <vector>

namespace ordeal::disk {

// Ends (SIGKILL) every process that has a file of the file system of device `device` ("0:53", as in proc(5), mountinfo)
// open or mapped, or works in it, but for `server`, and waits until they are gone. Asks no file system anything, so
// that one whose server has died holds nobody up. Returns the processes that were ended; sets `all_gone` to whether
// none is left after `wait_ms`.
[[nodiscard]] std::vector<int> end_users(const std::string& device, int server, int wait_ms, bool& all_gone);

}  // namespace ordeal::disk
