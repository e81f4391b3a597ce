#include "targets/http/http_session.h"

#include <curl/curl.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

namespace ordeal {
namespace {

// Replies larger than this are cut off with an error: a broken server must not take the controller's memory.
constexpr std::size_t kMaxReplyBytes = std::size_t{64} << 20;

void init_curl_once() {
  static std::once_flag once;
  std::call_once(once, [] { ORDEAL_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "libcurl cannot start"); });
}

struct HandleDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// What the callbacks of one request write down.
struct Exchange {
  std::string reply;
  bool idempotent = false;
  int issued = 0;           // how often libcurl was about to put the request on a connection
  bool suppressed = false;  // a repetition was prevented
};

std::size_t on_reply(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (exchange.reply.size() + size * count > kMaxReplyBytes) return 0;
  exchange.reply.append(data, size * count);
  return size * count;
}

// Called when a connection stands and the request is about to be written to it; once more if libcurl decides to
// repeat the request on a fresh connection (Curl_retry_request in lib/transfer.c).
int on_issue(void* user, char*, char*, int, int) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (exchange.issued > 0 && !exchange.idempotent) {
    exchange.suppressed = true;
    return CURL_PREREQFUNC_ABORT;
  }
  ++exchange.issued;
  return CURL_PREREQFUNC_OK;
}

std::string unsent_kind(CURLcode code, long os_error) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return "unknown-host";
    case CURLE_OPERATION_TIMEDOUT:
      return "connect-timeout";
    case CURLE_COULDNT_CONNECT:
      return os_error == ECONNREFUSED ? "connection-refused" : "unreachable";
    default:
      return "not-sent";
  }
}

std::string sent_kind(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return "timeout";
    case CURLE_GOT_NOTHING:
      return "connection-closed";
    case CURLE_PARTIAL_FILE:
      return "partial-reply";
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      return "connection-reset";
    case CURLE_WRITE_ERROR:
      return "reply-too-large";
    default:
      return "network";
  }
}

}  // namespace

struct HttpSession::Impl {
  std::unique_ptr<CURL, HandleDeleter> handle;
  std::unique_ptr<curl_slist, ListDeleter> post_headers;
  char error[CURL_ERROR_SIZE] = {};

  Impl() {
    init_curl_once();
    post_headers.reset(curl_slist_append(nullptr, "Content-Type: application/json"));
    // No "Expect: 100-continue": it would only add a round trip.
    ORDEAL_CHECK(curl_slist_append(post_headers.get(), "Expect:") != nullptr, "out of memory");
  }

  void create() {
    handle.reset(curl_easy_init());
    ORDEAL_CHECK(handle != nullptr, "libcurl has no memory");
    CURL* h = handle.get();
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);  // time-outs without SIGALRM: there are many threads
    curl_easy_setopt(h, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(h, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(h, CURLOPT_PROXY, "");
    curl_easy_setopt(h, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_MAXCONNECTS, 1L);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_reply);
    curl_easy_setopt(h, CURLOPT_PREREQFUNCTION, on_issue);
  }
};

HttpSession::HttpSession() : impl_(std::make_unique<Impl>()) {}
HttpSession::~HttpSession() = default;
HttpSession::HttpSession(HttpSession&&) noexcept = default;
HttpSession& HttpSession::operator=(HttpSession&&) noexcept = default;

void HttpSession::close() { impl_->handle.reset(); }

tl::expected<HttpReply, HttpFailure> HttpSession::perform(const HttpRequest& request, Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  if (left <= 0)
    return tl::unexpected(HttpFailure{false, "timeout", "the deadline passed before the request was sent"});
  if (!impl_->handle) impl_->create();
  CURL* h = impl_->handle.get();
  Exchange exchange;
  exchange.idempotent = request.idempotent;
  impl_->error[0] = '\0';
  curl_easy_setopt(h, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(h, CURLOPT_PREREQDATA, &exchange);
  curl_easy_setopt(h, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, static_cast<long>(left));
  curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(left));
  if (request.get) {
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, nullptr);
    curl_easy_setopt(h, CURLOPT_HTTPGET, 1L);
  } else {
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, impl_->post_headers.get());
    curl_easy_setopt(h, CURLOPT_POST, 1L);
    curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(h, CURLOPT_POSTFIELDS, request.body.data());
  }
  const CURLcode code = curl_easy_perform(h);
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    return HttpReply{static_cast<int>(status), std::move(exchange.reply)};
  }
  HttpFailure failure;
  failure.sent = exchange.issued > 0;
  failure.message = impl_->error[0] != '\0' ? impl_->error : curl_easy_strerror(code);
  long os_error = 0;
  curl_easy_getinfo(h, CURLINFO_OS_ERRNO, &os_error);
  if (exchange.suppressed) {
    failure.kind = "connection-closed";
    failure.message = "the server closed the kept-alive connection without a reply";
  } else {
    failure.kind = failure.sent ? sent_kind(code) : unsent_kind(code, os_error);
  }
  failure.message += " (" + request.url + ")";
  return tl::unexpected(std::move(failure));
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
