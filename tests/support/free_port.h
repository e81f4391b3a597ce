#pragma once
// A port for a server that a test is about to start.

namespace ordeal::testing {

// A TCP port of loopback that nobody listens on, below those that the kernel gives to clients (a number that it gave a
// moment ago may be the end of somebody's connection when the server comes to take it), and given to no other test
// while this process lives. Aborts when there is none. Thread-safe.
[[nodiscard]] int free_port();

}  // namespace ordeal::testing
