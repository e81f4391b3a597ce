#pragma once
// A proxy between a client and PostgreSQL that knows where a message of the protocol begins and ends, and interferes at
// one of them: for one connection. Thread-safety: made and destroyed by one thread; the rest works in its own.

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "base/descriptor.h"

namespace ordeal::testing {

class MessageProxy {
 public:
  enum class Place { before, within, after };
  enum class Act {
    cut,    // both connections are closed
    stall,  // goes on when the client has hung up: what it sent arrives late
    call,   // `called`, with the number of the server's process
  };
  struct Point {
    bool from_client = true;
    int message = 0;  // counted from the first that follows on the server's being ready
    Place place = Place::before;
    Act act = Act::cut;
  };

  MessageProxy(int server_port, Point point, std::function<void(int backend)> called);
  // Until both sides have hung up, or ten seconds are over.
  ~MessageProxy() = default;
  MessageProxy(const MessageProxy&) = delete;
  MessageProxy& operator=(const MessageProxy&) = delete;

  [[nodiscard]] int port() const { return port_; }
  // Whether the point was passed.
  [[nodiscard]] bool reached() const { return reached_; }

 private:
  struct Side {
    Descriptor socket;
    std::string pending;  // read from here, not yet passed on
    bool ended = false;   // it has hung up
    bool first = true;    // of the client: the start-up message, which has no type, has not come
    int messages = 0;
  };
  void run();
  // Reads what there is.
  static void read(Side& side);
  // The length of the message at the beginning of what is pending; 0: it is not whole.
  [[nodiscard]] std::size_t whole(const Side& side) const;
  void pass_on(Side& from, Side& to);
  void pass(Side& from, Side& to, std::size_t length);
  void interfere();
  void stall();
  static void send(const Side& to, const char* bytes, std::size_t size);

  const int server_port_;
  const Point point_;
  const std::function<void(int backend)> called_;
  int port_ = 0;
  Descriptor listener_;
  Side client_, server_;
  bool ready_ = false;  // the server has said so
  int backend_ = 0;
  std::atomic<bool> reached_ = false;
  std::jthread thread_;
};

}  // namespace ordeal::testing
