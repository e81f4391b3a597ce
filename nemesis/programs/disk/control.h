#pragma once
// Control: how the disk is told what to do: one line over a UNIX socket, one answer.
//
//   fault ID KIND MILLIONTHS DELAY_NS SEED     from now on; KIND as in faults.h, hit with this probability
//   fill ID BYTES                              from now on only so many bytes are left
//   clear ID                                   no more
//   calm                                       nothing is in force any more, and everything is durable
//   lose lost|torn|reordered SEED              a power failure: "bytes=N writes=N files=N names=N …"
//   status                                     "unsynced bytes=N names=N late=N gathering=0|1" (late: bytes that
//   arrived after
//                                              the power failure that took them; gathering: the kernel gathers writes)
//                                              and a line "ID hits N" for each fault
//
// An answer that begins with '!' says what is wrong.

#include <atomic>
#include <string>

#include "nemesis/programs/disk/server.h"

namespace ordeal::disk {

// Listens to one socket; serve() runs on a thread of its own.
class Control {
 public:
  // False with errno when that fails. `path`: of the socket.
  [[nodiscard]] bool open(const std::string& path);
  // Answers until end() is called.
  void serve(Server& server);
  void end();

 private:
  std::string obey(Server& server, const std::string& line);
  int socket_ = -1;
  std::atomic<bool> ended_{false};
  std::string filled_by_;
};

// Says a line and hears the answer. False when nobody is there.
[[nodiscard]] bool tell(const std::string& path, const std::string& line, std::string& answer);

}  // namespace ordeal::disk
