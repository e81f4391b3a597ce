// The layout runs in a forked child: a deadline that really ends it, a limit on memory that is its own, and a crash
// inside Graphviz costs one picture and not the run. The child sends numbers back through a pipe, nothing else.
//
// A child forked from a program with several threads may find a lock taken for ever (the dynamic linker's, when
// another thread is loading a library). It then hangs and the deadline ends it, as it ends a slow layout.

#include "reports/graph_layout.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <graphviz/gvc.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include <fmt/format.h>

namespace ordeal::internal {
namespace {

using Clock = std::chrono::steady_clock;

// Exit codes of the child.
constexpr int kNoPlugin = 3;
constexpr int kLayoutFailed = 4;
constexpr int kWriteFailed = 5;

constexpr double kPointsPerInch = 72;

char* text(std::string& s) { return s.data(); }

void set(void* object, const char* attribute, std::string value) {
  std::string name = attribute;
  std::string empty;
  agsafeset(object, text(name), text(value), text(empty));
}

std::string inches(double points) { return fmt::format("{:.4f}", points / kPointsPerInch); }

// An edge's label is an empty table of the wanted size: Graphviz keeps the room free without measuring any text.
void set_label_room(Agraph_t* graph, Agedge_t* edge, const Box& box) {
  std::string markup = fmt::format(
      "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLPADDING=\"0\" CELLSPACING=\"0\" FIXEDSIZE=\"TRUE\" WIDTH=\"{:.0f}\" "
      "HEIGHT=\"{:.0f}\"><TR><TD></TD></TR></TABLE>",
      box.width, box.height);
  char* label = agstrdup_html(graph, text(markup));
  std::string name = "label";
  std::string empty;
  agsafeset(edge, text(name), label, text(empty));
  agstrfree(graph, label);
}

std::string describe(Agraph_t* graph, const std::vector<Agnode_t*>& nodes, const std::vector<Agedge_t*>& edges) {
  const double height = GD_bb(graph).UR.y;
  std::string out = fmt::format("{} {}\n", GD_bb(graph).UR.x, height);
  for (Agnode_t* node : nodes) out += fmt::format("{} {}\n", ND_coord(node).x, height - ND_coord(node).y);
  for (Agedge_t* edge : edges) {
    const splines* curve = ED_spl(edge);
    if (curve == nullptr || curve->size == 0) {
      out += "0 0 0 0";
    } else {
      const bezier& piece = curve->list[0];
      out += fmt::format("{} {} {} {}", piece.size, piece.eflag != 0 ? 1 : 0, piece.ep.x, height - piece.ep.y);
      for (int i = 0; i < piece.size; ++i) out += fmt::format(" {} {}", piece.list[i].x, height - piece.list[i].y);
    }
    const textlabel_t* label = ED_label(edge);
    out += label == nullptr ? " 0 0\n" : fmt::format(" {} {}\n", label->pos.x, height - label->pos.y);
  }
  return out + "end\n";
}

// Runs in the child and does not return.
[[noreturn]] void child(const LayoutRequest& request, int out) {
  rlimit cpu{};
  cpu.rlim_cur = cpu.rlim_max = static_cast<rlim_t>(request.time.count() / 1000 + 2);
  setrlimit(RLIMIT_CPU, &cpu);
  rlimit none{};
  setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  if (request.memory_bytes > 0) {
    // The child shares the parent's memory, so the limit is on top of what is there.
    long pages = 0;
    if (FILE* statm = std::fopen("/proc/self/statm", "r")) {
      if (std::fscanf(statm, "%ld", &pages) != 1) pages = 0;
      std::fclose(statm);
    }
    rlimit memory{};
    memory.rlim_cur = memory.rlim_max =
        static_cast<rlim_t>(pages) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + request.memory_bytes;
    setrlimit(RLIMIT_AS, &memory);
  }
#endif
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0) {
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
  }
  GVC_t* context = gvContext();
  std::string name = "anomaly";
  Agraph_t* graph = agopen(text(name), Agdirected, nullptr);
  if (context == nullptr || graph == nullptr) _exit(kLayoutFailed);
  set(graph, "rankdir", "TB");
  set(graph, "nodesep", "0.45");
  set(graph, "ranksep", "0.5");
  std::vector<Agnode_t*> nodes;
  for (std::size_t i = 0; i < request.nodes.size(); ++i) {
    std::string id = "n" + std::to_string(i);
    Agnode_t* node = agnode(graph, text(id), 1);
    set(node, "shape", "box");
    set(node, "fixedsize", "true");
    set(node, "label", "");
    set(node, "width", inches(request.nodes[i].width));
    set(node, "height", inches(request.nodes[i].height));
    nodes.push_back(node);
  }
  std::vector<Agedge_t*> edges;
  for (std::size_t i = 0; i < request.edges.size(); ++i) {
    const auto& wanted = request.edges[i];
    std::string id = "e" + std::to_string(i);
    Agedge_t* edge = agedge(graph, nodes[wanted.from], nodes[wanted.to], text(id), 1);
    if (wanted.label.width > 0) set_label_room(graph, edge, wanted.label);
    if (wanted.weak) set(edge, "weight", "0");
    edges.push_back(edge);
  }
  if (gvLayout(context, graph, "dot") != 0) _exit(kNoPlugin);
  const std::string answer = describe(graph, nodes, edges);
  for (std::size_t done = 0; done < answer.size();) {
    const ssize_t n = write(out, answer.data() + done, answer.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(kWriteFailed);
    done += static_cast<std::size_t>(n);
  }
  _exit(0);
}

// Numbers separated by white space; fails softly on anything else.
class Numbers {
 public:
  explicit Numbers(const std::string& text) : at_(text.c_str()) {}
  bool next(double& out) {
    char* end = nullptr;
    out = std::strtod(at_, &end);
    if (end == at_) return false;
    at_ = end;
    return true;
  }
  bool next(Point& out) { return next(out.x) && next(out.y); }
  [[nodiscard]] bool at_end_mark() const { return std::strstr(at_, "end\n") != nullptr; }

 private:
  const char* at_;
};

bool parse(const std::string& answer, const LayoutRequest& request, Layout& layout) {
  Numbers in(answer);
  if (!in.next(layout.size.width) || !in.next(layout.size.height)) return false;
  layout.nodes.resize(request.nodes.size());
  for (Point& node : layout.nodes) {
    if (!in.next(node)) return false;
  }
  layout.edges.resize(request.edges.size());
  for (Layout::Edge& edge : layout.edges) {
    double points = 0;
    double has_head = 0;
    if (!in.next(points) || !in.next(has_head) || !in.next(edge.head) || points < 0 || points > 1e6) return false;
    edge.has_head = has_head != 0;
    edge.curve.resize(static_cast<std::size_t>(points));
    for (Point& point : edge.curve) {
      if (!in.next(point)) return false;
    }
    if (!in.next(edge.label)) return false;
  }
  return in.at_end_mark();
}

// Everything the child writes until it closes the pipe; false when the deadline came first.
bool read_until(int in, Clock::time_point deadline, std::string& out) {
  char buffer[65536];
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd wait{in, POLLIN, 0};
    const int ready = poll(&wait, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t n = read(in, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n == 0;
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

}  // namespace

Result<Layout> lay_out(const LayoutRequest& request) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(ErrorCode::io, fmt::format("no pipe: {}", std::strerror(errno)));
  const pid_t pid = fork();
  if (pid < 0) {
    const int error = errno;
    close(ends[0]);
    close(ends[1]);
    return fail(ErrorCode::io, fmt::format("no fork: {}", std::strerror(error)));
  }
  if (pid == 0) child(request, ends[1]);
  close(ends[1]);
  std::string answer;
  const bool in_time = read_until(ends[0], Clock::now() + request.time, answer);
  close(ends[0]);
  if (!in_time) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) {
    return fail(ErrorCode::timeout, fmt::format("Graphviz needed more than {} ms", request.time.count()));
  }
  if (WIFSIGNALED(status)) {
    return fail(ErrorCode::internal, fmt::format("Graphviz died of signal {}", WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) == kNoPlugin) {
    return fail(ErrorCode::unsupported, "Graphviz has no layout \"dot\" here; install the package graphviz");
  }
  Layout layout;
  if (WEXITSTATUS(status) != 0 || !parse(answer, request, layout)) {
    return fail(ErrorCode::internal, fmt::format("Graphviz gave up (exit code {})", WEXITSTATUS(status)));
  }
  return layout;
}

}  // namespace ordeal::internal
