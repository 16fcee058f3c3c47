// A hub of models on this machine's loopback address, with another server for large files, and the
// faults that real ones have.
#pragma once
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "nn/digest.h"

namespace ink::testing {

struct HubFile {
  std::string content;
  bool large = false;  // kept on the other server, named by SHA-256; else by git's name
};

// What goes wrong with requests whose address ends in `file`. A fault with `times` passes.
struct Fault {
  int times = 1 << 30;
  int status = 0;                // instead of the file
  std::string error_code = {};   // with status: x-error-code
  std::string retry_after = {};  // with status
  size_t cut_after = 0;          // the connection, in bytes of each reply
  double pause = 0;              // seconds before the reply
  double pause_between = 0;      // before each 4 KiB
  bool damage = false;           // another last byte
  int64_t longer = 0;            // bytes more than announced, or fewer
  bool ignore_range = false;
  std::string redirect = {};
  bool no_hash = false, no_commit = false;
};

struct Seen {
  std::string method, path, token, range;
};

// One server in a thread of its own, on any free port.
class Server {
 public:
  httplib::Server http;
  int port = 0;

  void start() {
    port = http.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { http.listen_after_bind(); });
    while (!http.is_running()) std::this_thread::yield();
  }
  ~Server() {
    http.stop();
    if (thread_.joinable()) thread_.join();
  }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(port); }

 private:
  std::thread thread_;
};

class FakeHub {
 public:
  static constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";
  static constexpr const char* kOther = "00000000000000000000000000000000000000ff";  // kCommit too
  std::map<std::string, HubFile> files;       // "owner/name/file"
  std::map<std::string, Fault> faults;        // of the hub, by file
  std::map<std::string, Fault> large_faults;  // of the other server
  std::string wanted_token;                   // without it: 401

  FakeHub() {
    hub_.http.Get("/(.+)/resolve/(.+)/([^/]+)", [this](const auto& q, auto& a) { answer(q, a); });
    hub_.http.Get("/moved/(.+)", [this](const auto& q, auto& a) {
      note(q);
      send(files.at(q.matches[1]), {}, q, a);
    });
    large_.http.Get("/large/(.+)", [this](const auto& q, auto& a) { answer_large(q, a); });
    hub_.start();
    large_.start();
  }

  std::string address() const { return hub_.address(); }
  std::string other_address() const { return large_.address(); }

  std::vector<Seen> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  void forget() {
    const std::lock_guard lock(mutex_);
    seen_.clear();
  }
  // Requests whose address ends so.
  // What was set so far is seen by the hub's threads, also where another process asks them.
  void publish() { const std::lock_guard lock(mutex_); }
  size_t count(const std::string& method, const std::string& end) {
    size_t n = 0;
    for (const Seen& s : seen()) n += s.method == method && s.path.ends_with(end) ? 1 : 0;
    return n;
  }

 private:
  using Request = httplib::Request;
  using Response = httplib::Response;

  void note(const Request& q) {
    const std::lock_guard lock(mutex_);
    seen_.push_back(
        {q.method, q.path, q.get_header_value("Authorization"), q.get_header_value("Range")});
  }

  // The fault of a file, counted down. Requests for headers alone meet only those of status.
  Fault fault_of(std::map<std::string, Fault>& all, const std::string& file) {
    const std::lock_guard lock(mutex_);
    const auto found = all.find(file);
    if (found == all.end() || found->second.times <= 0) return {};
    --found->second.times;
    return found->second;
  }

  void answer(const Request& q, Response& a) {
    note(q);
    const std::string name = q.matches[1], file = q.matches[3];
    const Fault fault = fault_of(faults, file);
    if (fault.pause > 0) sleep(fault.pause);
    if (!fault.redirect.empty()) return a.set_redirect(fault.redirect);
    if (!fault.retry_after.empty()) a.set_header("Retry-After", fault.retry_after);
    if (fault.status) return refuse(a, fault.status, fault.error_code);
    if (!wanted_token.empty() && q.get_header_value("Authorization") != "Bearer " + wanted_token)
      return refuse(a, 401, "RepoNotFound");
    const bool known =
        std::ranges::any_of(files, [&](const auto& f) { return f.first.starts_with(name + '/'); });
    if (!known) return refuse(a, 404, "RepoNotFound");
    if (q.matches[2] != "main" && q.matches[2] != kCommit && q.matches[2] != kOther &&
        q.matches[2] != "a/b")
      return refuse(a, 404, "RevisionNotFound");
    if (!fault.no_commit) a.set_header("X-Repo-Commit", kCommit);
    const auto found = files.find(name + '/' + file);
    if (found == files.end()) return refuse(a, 404, "EntryNotFound");
    if (found->second.large) {
      Sha256 sum;
      sum.add(found->second.content);
      a.set_header("X-Linked-Etag", '"' + sum.hex() + '"');
      a.set_header("X-Linked-Size", std::to_string(found->second.content.size()));
      return a.set_redirect(other_address() + "/large/" + name + '/' + file, 302);
    }
    Sha1 sum;
    sum.add("blob " + std::to_string(found->second.content.size()) + '\0');
    sum.add(found->second.content);
    if (!fault.no_hash) a.set_header("ETag", "W/\"" + sum.hex() + '"');
    send(found->second, q.method == "HEAD" ? Fault{} : fault, q, a);
  }

  void answer_large(const Request& q, Response& a) {
    note(q);
    const std::string path = q.matches[1];
    const Fault fault = fault_of(large_faults, path.substr(path.rfind('/') + 1));
    if (fault.pause > 0) sleep(fault.pause);
    if (!fault.redirect.empty()) return a.set_redirect(fault.redirect);
    if (!fault.retry_after.empty()) a.set_header("Retry-After", fault.retry_after);
    if (fault.status) return refuse(a, fault.status, fault.error_code);
    send(files.at(path), fault, q, a);
  }

  static void send(const HubFile& file, const Fault& fault, const Request& q, Response& a) {
    std::string content = file.content;
    if (fault.damage) content.back() = static_cast<char>(content.back() ^ 1);
    if (fault.longer) content.resize(content.size() + static_cast<size_t>(fault.longer), 'x');
    if (fault.ignore_range) const_cast<Request&>(q).ranges.clear();
    if (fault.cut_after == 0 && fault.pause_between == 0)
      return a.set_content(content, "application/octet-stream");
    const auto sent = std::make_shared<size_t>(0);
    a.set_content_provider(
        content.size(), "application/octet-stream",
        [content, fault, sent](size_t at, size_t length, httplib::DataSink& sink) {
          constexpr size_t kPiece = 4096;
          const size_t left = fault.cut_after ? fault.cut_after - *sent : kPiece;
          const size_t n = std::min({length, left, kPiece});
          if (n == 0) return false;  // the connection ends here
          if (fault.pause_between > 0) sleep(fault.pause_between);
          *sent += n;
          return sink.write(content.data() + at, n);
        });
  }

  static void refuse(Response& a, int status, const std::string& code) {
    a.status = status;
    if (!code.empty()) a.set_header("X-Error-Code", code);
  }
  static void sleep(double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  }

  std::mutex mutex_;
  std::vector<Seen> seen_;
  Server hub_, large_;  // last: they stop first
};

}  // namespace ink::testing
