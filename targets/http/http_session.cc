#include "targets/http/http_session.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cerrno>
#include <charconv>
#include <optional>

#include "base/descriptor.h"
#include "base/files.h"
#include "harness/control/tcp.h"

namespace ordeal {
namespace {

namespace http = boost::beast::http;
// Replies larger than this are cut off with an error: a broken server must not take the controller's memory.
constexpr std::size_t kMaxReplyBytes = std::size_t{64} << 20;
constexpr std::uint32_t kMaxHeaderBytes = 64 * 1024;
constexpr std::size_t kReadBytes = 64 * 1024;

// Keeps status and body alone: nobody asks for a reply's fields, and Beast's own parser makes a node of each. What they
// say of the body and the connection the base class knows.
class Parser final : public http::basic_parser<false> {
 public:
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] std::string& body() { return body_; }

 private:
  using Text = boost::beast::string_view;
  using Problem = boost::system::error_code;
  using Length = boost::optional<std::uint64_t>;

  void on_request_impl(http::verb, Text, Text, int, Problem&) override {}
  void on_response_impl(int status, Text, int, Problem&) override { status_ = status; }
  void on_field_impl(http::field, Text, Text, Problem&) override {}
  void on_header_impl(Problem&) override {}
  void on_body_init_impl(const Length&, Problem&) override {}
  std::size_t on_body_impl(Text part, Problem&) override {
    body_.append(part.data(), part.size());
    return part.size();
  }
  void on_chunk_header_impl(std::uint64_t, Text, Problem&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text part, Problem& problem) override {
    return on_body_impl(part, problem);
  }
  void on_finish_impl(Problem&) override {}

  int status_ = 0;
  std::string body_;
};

struct Address {
  std::string_view authority;  // as in the URL
  std::string host;
  int port = 80;
  std::string_view path;
};

std::optional<Address> address_in(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return std::nullopt;
  url.remove_prefix(kScheme.size());
  Address out;
  const std::size_t slash = std::min(url.find('/'), url.size());
  out.authority = url.substr(0, slash);
  out.path = slash < url.size() ? url.substr(slash) : "/";
  std::string_view host = out.authority;
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc() || end != port.data() + port.size() || out.port < 1 || out.port > 65535)
      return std::nullopt;
    host = host.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty()) return std::nullopt;
  out.host = host;
  return out;
}

void write_text(std::string& out, const HttpRequest& request, const Address& address) {
  out.assign(request.get ? "GET " : "POST ");
  out.append(address.path).append(" HTTP/1.1\r\nHost: ").append(address.authority).append("\r\n");
  if (!request.bearer.empty()) out.append("Authorization: Bearer ").append(request.bearer).append("\r\n");
  if (request.get) {
    out.append("\r\n");
    return;
  }
  out.append("Content-Type: application/json\r\nContent-Length: ").append(std::to_string(request.body.size()));
  out.append("\r\n\r\n").append(request.body);
}

HttpFailure unconnected(const ConnectFailure& failure) {
  using Kind = ConnectFailure::Kind;
  const char* kind = "unreachable";
  if (failure.kind == Kind::unknown_host) kind = "unknown-host";
  if (failure.kind == Kind::refused) kind = "connection-refused";
  if (failure.kind == Kind::timeout) kind = "connect-timeout";
  return {false, kind, failure.message};
}

bool is_timeout(int error_number) { return error_number == EAGAIN || error_number == EWOULDBLOCK; }

}  // namespace

struct HttpSession::Impl {
  Descriptor socket;
  std::string authority;        // what it is connected to
  std::int64_t timeout_ms = 0;  // of the socket's recv(2)
  std::string asked;            // the request
  std::string received;         // and not yet parsed

  void close() {
    socket = Descriptor();
    received.clear();
  }

  // Whether the kept-alive connection still stands. What a server says unasked is no reply to the next request.
  bool stands(const Address& address) {
    if (!socket || authority != address.authority) return false;
    char byte = 0;
    return ::recv(socket.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && is_timeout(errno);
  }

  std::optional<HttpFailure> connect(const Address& address, Deadline deadline) {
    close();
    auto connected = try_connect_tcp(address.host, address.port, deadline);
    if (!connected) return unconnected(connected.error());
    socket = *std::move(connected);
    authority = address.authority;
    timeout_ms = 0;
    // From here on the kernel waits, with a time-out: a poll(2) before each recv(2) would cost as much again.
    const int flags = ::fcntl(socket.get(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) {
      return HttpFailure{false, "not-sent", system_error("making the socket wait", errno).message};
    }
    return std::nullopt;
  }

  // Sets how long a recv(2) waits at most, unless it is set already as nearly as it matters. False: the deadline has
  // passed.
  bool wait_until(Deadline deadline) {
    const std::int64_t left = deadline.remaining().count();
    if (left == 0) return false;
    if (timeout_ms >= left && timeout_ms - left <= left / 100) return true;
    const timeval time{static_cast<time_t>(left / 1000), static_cast<suseconds_t>(left % 1000 * 1000)};
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) != 0) return false;
    timeout_ms = left;
    return true;
  }

  std::optional<HttpFailure> send(std::string_view text, Deadline deadline) {
    bool sent = false;
    while (!text.empty()) {
      const ssize_t n = ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n >= 0) {
        sent = sent || n > 0;
        text.remove_prefix(static_cast<std::size_t>(n));
      } else if (is_timeout(errno)) {
        if (deadline.passed()) return HttpFailure{sent, "timeout", "the deadline passed while sending"};
        pollfd room{socket.get(), POLLOUT, 0};
        (void)::poll(&room, 1, deadline.poll_ms());
      } else if (errno != EINTR) {
        return HttpFailure{sent, sent ? "connection-reset" : "not-sent", system_error("sending", errno).message};
      }
    }
    return std::nullopt;
  }

  tl::expected<HttpReply, HttpFailure> receive(Deadline deadline, bool& silent);
  tl::expected<HttpReply, HttpFailure> finish(Parser& parser);
};

// The reply, when the parser has all of it or the server closed the connection behind it.
tl::expected<HttpReply, HttpFailure> HttpSession::Impl::finish(Parser& parser) {
  const bool goes_on = parser.keep_alive() && received.empty();
  HttpReply reply{parser.status(), std::move(parser.body())};
  if (!goes_on) close();
  return reply;
}

// `silent`: not one byte of a reply came.
tl::expected<HttpReply, HttpFailure> HttpSession::Impl::receive(Deadline deadline, bool& silent) {
  std::optional<Parser> parser;
  const auto begin = [&parser] {
    parser.emplace();
    parser->eager(true);
    parser->body_limit(kMaxReplyBytes);
    parser->header_limit(kMaxHeaderBytes);
  };
  begin();
  std::array<char, kReadBytes> buffer;
  silent = true;
  for (;;) {
    if (!wait_until(deadline)) return tl::unexpected(HttpFailure{true, "timeout", "no reply within the time allowed"});
    const ssize_t n = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && (errno == EINTR || is_timeout(errno))) continue;
    if (n < 0) return tl::unexpected(HttpFailure{true, "connection-reset", system_error("receiving", errno).message});
    boost::system::error_code error;
    if (n == 0) {
      if (silent)
        return tl::unexpected(
            HttpFailure{true, "connection-closed", "the server closed the connection without a reply"});
      parser->put_eof(error);
      if (error || !parser->is_done())
        return tl::unexpected(HttpFailure{true, "partial-reply", "the reply ended early"});
      close();
      return finish(*parser);
    }
    silent = false;
    std::string_view left(buffer.data(), static_cast<std::size_t>(n));
    if (!received.empty()) left = received.append(left);
    while (!left.empty() && !error && !parser->is_done()) {
      const std::size_t used = parser->put(boost::asio::buffer(left), error);
      left.remove_prefix(used);
      if (used == 0) break;
      // An interim reply (100 Continue, …) announces another one.
      if (parser->is_done() && parser->status() / 100 == 1) begin();
    }
    received = std::string(left);
    if (parser->is_done()) return finish(*parser);
    if (error == http::error::need_more || !error) continue;
    if (error == http::error::body_limit || error == http::error::header_limit) {
      return tl::unexpected(HttpFailure{true, "reply-too-large", "the reply is too large: " + error.message()});
    }
    return tl::unexpected(HttpFailure{true, "network", "the reply is no HTTP: " + error.message()});
  }
}

HttpSession::HttpSession() : impl_(std::make_unique<Impl>()) {}
HttpSession::~HttpSession() = default;
HttpSession::HttpSession(HttpSession&&) noexcept = default;
HttpSession& HttpSession::operator=(HttpSession&&) noexcept = default;

void HttpSession::close() { impl_->close(); }

tl::expected<HttpReply, HttpFailure> HttpSession::perform(const HttpRequest& request, Deadline deadline) {
  const auto failed = [&](HttpFailure failure) {
    impl_->close();
    failure.message += " (" + request.url + ")";
    return tl::unexpected(std::move(failure));
  };
  const auto address = address_in(request.url);
  if (!address) return failed({false, "bad-url", "http://host[:port]/path was expected"});
  if (deadline.passed()) return failed({false, "timeout", "the deadline passed before the request was sent"});
  write_text(impl_->asked, request, *address);
  bool may_have_arrived = false;  // an earlier attempt
  for (bool first = true;; first = false) {
    const bool kept = first && impl_->stands(*address);
    auto failure = kept ? std::nullopt : impl_->connect(*address, deadline);
    if (!failure) failure = impl_->send(impl_->asked, deadline);
    if (failure) {
      // The server closed the kept-alive connection a moment ago, and not a byte of this request is on its way.
      if (kept && !failure->sent && failure->kind != "timeout") continue;
      failure->sent = failure->sent || may_have_arrived;
      return failed(*std::move(failure));
    }
    bool silent = false;
    auto reply = impl_->receive(deadline, silent);
    if (reply) return reply;
    if (!kept || !silent || reply.error().kind == "timeout" || !request.idempotent) {
      return failed(std::move(reply.error()));
    }
    may_have_arrived = true;
  }
}

std::string host_port(std::string_view address, int port) {
  std::string out;
  if (address.find(':') != std::string_view::npos) {
    out.append("[").append(address).append("]");
  } else {
    out.append(address);
  }
  return out.append(":").append(std::to_string(port));
}

}  // namespace ordeal
