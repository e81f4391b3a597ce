// `ordeal serve`: the runs of a store in a browser, on loopback only, read-only.

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <thread>

#include "base/files.h"
#include "base/value.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "harness/store/run_directory.h"
#include "reports/text.h"

namespace ordeal::cli {
namespace {

namespace fs = std::filesystem;

// A path as part of a URL: everything but the unreserved characters and '/' is percent-encoded.
std::string url(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~' || c == '/';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

struct StoredRunRow {
  std::string path;  // relative to the store
  std::string name;
  std::string time;
  std::string verdict = "unfinished";
};

// Where the file is, links followed; nothing when it is none, or out of the store.
std::optional<std::string> file_in(const fs::path& store, const fs::path& relative) {
  std::error_code error;
  const fs::path root = fs::canonical(store, error);
  const fs::path file = fs::canonical(store / relative, error);
  if (error || std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first != root.end()) return {};
  return fs::is_regular_file(file, error) ? std::optional(file.string()) : std::nullopt;
}

// Newest first.
std::vector<StoredRunRow> rows(const fs::path& store) {
  std::vector<StoredRunRow> out;
  for (const fs::path run : list_runs(store.string()).value_or(std::vector<std::string>())) {
    StoredRunRow row;
    row.name = run.parent_path().filename().string();
    row.time = run.filename().string();
    row.path = row.name + "/" + row.time;
    const auto file = file_in(store, row.path + "/results.json");
    if (const auto results = Value::from_json(file ? read_text_file(*file).value_or("") : "")) {
      if (const Value* verdict = results->find("verdict"); verdict != nullptr && verdict->is_string()) {
        row.verdict = verdict->string();
      }
    }
    out.push_back(std::move(row));
  }
  return out;
}

std::string index_page(const fs::path& store) {
  std::string body;
  for (const auto& row : rows(store)) {
    const std::string base = "/runs/" + url(row.path) + "/";
    body += fmt::format(
        "<tr class=\"{0}\"><td><b>{0}</b></td><td>{1}</td><td>{2}</td><td><a href=\"{3}report.html\">report</a></td>"
        "<td><a href=\"{3}history.jsonl\">history</a> · <a href=\"{3}results.json\">results</a> · "
        "<a href=\"{3}plan.json\">plan</a> · <a href=\"{3}ordeal.log\">log</a></td></tr>\n",
        html_text(row.verdict), html_text(row.name), html_text(row.time), base);
  }
  if (body.empty())
    body = "<tr><td colspan=5>No runs here yet. <code>ordeal run --target memory</code> makes one.</td></tr>";
  return "<!doctype html><html lang=en><meta charset=utf-8><title>Ordeal: runs</title>"
         "<meta name=viewport content=\"width=device-width\"><style>"
         ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em "
         "auto;padding:0 1em}"
         "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4em .8em;border-bottom:1px solid "
         "#8884}"
         ".valid b{color:#1a8f4a}.invalid b{color:#d33}.unknown b,.unfinished b{color:#b7791f}</style>"
         "<h1>Runs in " +
         html_text(store.string()) + "</h1><table><tr><th>verdict<th>name<th>time (UTC)<th><th></tr>\n" + body +
         "</table></html>\n";
}

std::string_view content_type(const fs::path& file) {
  const std::string extension = file.extension().string();
  if (extension == ".html") return "text/html; charset=utf-8";
  if (extension == ".json") return "application/json";
  if (extension == ".svg") return "image/svg+xml";
  if (extension == ".xml") return "application/xml";
  return "text/plain; charset=utf-8";
}

// What a page from the store may do. It may be somebody else's, and has the same origin as the others.
const char* policy(const fs::path& file) {
  return file.extension() == ".html"
             ? "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src "
               "data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
             : "sandbox; default-src 'none'; style-src 'unsafe-inline'";
}

void serve_file(const fs::path& store, const std::string& relative, httplib::Response& response) {
  const auto file = file_in(store, relative);
  if (!file) {
    response.status = 404;
    response.set_content("There is no such file in the store.\n", "text/plain");
    return;
  }
  response.set_header("Content-Security-Policy", policy(*file));
  auto contents = read_text_file(*file);
  if (!contents) {
    response.status = 500;
    response.set_content(contents.error().message + "\n", "text/plain; charset=utf-8");
    return;
  }
  response.set_content(*std::move(contents), std::string(content_type(*file)));
}

// A name of somebody else's that leads here for a moment would let their pages read the store.
bool names_this_machine(std::string_view host, const std::string& address) {
  const std::size_t port = host.rfind(':');
  if (port != std::string_view::npos && host.find(']', port) == std::string_view::npos) host = host.substr(0, port);
  return host.empty() || host == "localhost" || host == "127.0.0.1" || host == "[::1]" || host == address;
}

}  // namespace

int serve(const ServeCommand& command) {
  const fs::path store = command.store;
  if (!fs::is_directory(store)) {
    complain({ErrorCode::usage, fmt::format("{} is no directory; name the store (ordeal serve STORE)", command.store)});
    return kUsage;
  }
  // SIGINT and SIGTERM are taken by a thread of ours, which ends the server in good order.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  httplib::Server server;
  server.set_default_headers({{"X-Content-Type-Options", "nosniff"}, {"Referrer-Policy", "no-referrer"}});
  server.set_pre_routing_handler([&](const httplib::Request& request, httplib::Response& response) {
    if (names_this_machine(request.get_header_value("Host"), command.address)) {
      return httplib::Server::HandlerResponse::Unhandled;
    }
    response.status = 403;
    response.set_content("Only requests to this machine's own address are answered.\n", "text/plain");
    return httplib::Server::HandlerResponse::Handled;
  });
  server.Get("/", [&](const httplib::Request&, httplib::Response& response) {
    response.set_content(index_page(store), "text/html; charset=utf-8");
  });
  server.Get(R"(/runs/(.+))", [&](const httplib::Request& request, httplib::Response& response) {
    serve_file(store, request.matches[1], response);
  });
  int port = command.port;
  if (port == 0) {
    port = server.bind_to_any_port(command.address);
  } else if (!server.bind_to_port(command.address, port)) {
    port = -1;
  }
  if (port < 0) {
    complain({ErrorCode::io, fmt::format("port {} on {} is in use or not allowed; choose another with --port (0: any)",
                                         command.port, command.address)});
    return kRunFailed;
  }
  say(fmt::format("http://{}:{}/  (Ctrl-C ends it)", command.address, port));
  std::jthread watcher([&](std::stop_token stop) {
    const timespec tick{0, 200'000'000};
    while (!stop.stop_requested()) {
      if (sigtimedwait(&signals, nullptr, &tick) > 0) {
        server.stop();
        return;
      }
    }
  });
  server.listen_after_bind();
  return kValid;
}

}  // namespace ordeal::cli
