// What a hub announces about a file, its bytes in as many attempts as it takes, and the proof.
#include "nn/hub_fetch.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include "nn/digest.h"
#include "nn/partial_file.h"
#include "tensor/error.h"
#include "tensor/file.h"

namespace ink {

namespace fs = std::filesystem;

namespace {

constexpr int kNotFound = 404, kUnauthorized = 401, kForbidden = 403, kRangeNotSatisfiable = 416;

bool is_redirect(int status) { return status >= 300 && status < 400; }
bool is_success(int status) { return status == 200 || status == 206; }
// The server may do better a little later.
bool is_passing(const HttpReply& reply) {
  return !reply.failure.empty() || reply.status == 429 || reply.status >= 500;
}

std::optional<uint64_t> number_from(const std::string& text) {
  uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    return {};
  return value;
}

// W/"abc" → abc
std::string without_quotes(std::string tag) {
  if (tag.starts_with("W/")) tag.erase(0, 2);
  std::erase(tag, '"');
  return tag;
}

std::string what_came(const HttpReply& reply) {
  return reply.failure.empty() ? "status " + std::to_string(reply.status) : reply.failure;
}

// Slashes of a revision would be taken for folders.
std::string escaped(std::string revision) {
  for (size_t at = 0; (at = revision.find('/', at)) != std::string::npos;)
    revision.replace(at, 1, "%2F");
  return revision;
}

}  // namespace

HubFetcher::HubFetcher(const HubOptions& options, const std::string& name, const ModelCache& cache)
    : options_(options), name_(name), cache_(cache), client_(options.timeout_seconds) {}

std::string HubFetcher::address(const std::string& file) const {
  const std::string revision = commit_.empty() ? escaped(options_.revision) : commit_;
  return options_.endpoint + '/' + name_ + "/resolve/" + revision + '/' + file;
}

bool HubFetcher::fetch(const std::string& file) {
  if (!commit_.empty() && cache_.holds(commit_, file)) return true;
  if (!commit_.empty() && cache_.is_absent(commit_, file)) return false;
  const HttpReply reply = head(file);
  if (const std::string commit = reply.header("x-repo-commit"); commit_.empty()) {
    const bool other = is_commit(options_.revision) && is_commit(commit);
    check(!other || commit == options_.revision, "", options_.endpoint, ": ", file, " of ", name_,
          " is of the commit ", commit, ", expected the revision ", options_.revision);
    if (is_commit(commit)) commit_ = commit;
  } else {
    check(commit.empty() || commit == commit_, "", options_.endpoint, ": ", file, " of ", name_,
          " is of the commit ", commit, ", expected ", commit_);
  }
  const std::string code = reply.header("x-error-code");
  if (reply.status == kNotFound && (code.empty() || code == "EntryNotFound")) {
    if (!commit_.empty()) cache_.set_absent(commit_, file);
    return false;
  }
  if (!is_success(reply.status) && !is_redirect(reply.status)) refuse(reply, file);
  check(!commit_.empty(), "", options_.endpoint, " does not say which commit ", file, " of ", name_,
        " is of (x-repo-commit); is it a hub of models?");
  const Announced announced = announced_by(reply, file);
  if (!fs::exists(cache_.blob(announced.digest))) download(file, announced);
  cache_.link(commit_, file, announced.digest);
  return true;
}

HttpReply HubFetcher::head(const std::string& file) {
  for (int attempt = 1;; ++attempt) {
    HttpReply reply = client_.send({.url = address(file), .head = true, .token = options_.token});
    if (!is_passing(reply)) return reply;
    if (attempt >= options_.attempts) refuse(reply, file);
    wait(attempt, reply);
  }
}

HubFetcher::Announced HubFetcher::announced_by(const HttpReply& reply,
                                               const std::string& file) const {
  Announced announced;
  const std::string linked = reply.header("x-linked-etag");
  announced.digest = without_quotes(linked.empty() ? reply.header("etag") : linked);
  check(is_digest(announced.digest), "", options_.endpoint, " names no hash of ", file, " of ",
        name_, " (etag) that it could be checked by");
  const std::string size = reply.header("x-linked-size");
  // A redirect's own length is not the file's.
  const auto known = number_from(
      size.empty() && !is_redirect(reply.status) ? reply.header("content-length") : size);
  announced.size_known = known.has_value();
  announced.size = known.value_or(0);
  return announced;
}

void HubFetcher::download(const std::string& file, const Announced& announced) {
  create_folders(cache_.blob(announced.digest).parent_path());
  const FileLock lock = cache_.lock(announced.digest);
  if (fs::exists(cache_.blob(announced.digest))) return;  // another process was faster
  PartialFile partial(cache_.incomplete(announced.digest));
  if (announced.size_known && partial.size() > announced.size) partial.clear();
  const bool whole = announced.size_known && partial.size() == announced.size;
  for (int failures = 0; !whole;) {
    const uint64_t before = partial.size();
    const HttpReply reply = receive(file, announced, partial);
    if (is_success(reply.status) && reply.failure.empty()) break;
    if (!is_passing(reply) && reply.status != kRangeNotSatisfiable) refuse(reply, file);
    failures = partial.size() > before ? 1 : failures + 1;
    if (failures >= options_.attempts) refuse(reply, file);
    wait(failures, reply);
  }
  verify(file, announced, partial);
  partial.commit(cache_.blob(announced.digest));
}

// One attempt: adds what comes to the file.
HttpReply HubFetcher::receive(const std::string& file, const Announced& announced,
                              PartialFile& partial) {
  const uint64_t from = partial.size();
  bool started = false;
  const auto body = [&](const HttpReply& so_far, std::span<const std::byte> bytes) {
    // The whole file may come again.
    if (!std::exchange(started, true) && so_far.status == 200) partial.clear();
    if (so_far.status == 206) {
      const std::string range = so_far.header("content-range");
      check(range.starts_with("bytes " + std::to_string(from) + '-'), "", options_.endpoint,
            " sent the range '", range, "' of ", file, ", asked for was the rest from ", from);
    }
    if (announced.size_known && bytes.size() > announced.size - partial.size()) {
      partial.remove();
      fail("", options_.endpoint, ": ", file, " of ", name_, " should have ", announced.size,
           " bytes, more came; it was not kept");
    }
    partial.append(bytes, announced.size - std::min(announced.size, partial.size()));
    if (options_.progress) options_.progress({file, partial.size(), announced.size});
  };
  HttpReply reply =
      client_.send({.url = address(file), .token = options_.token, .from = from, .body = body});
  if (reply.status == kRangeNotSatisfiable) partial.clear();
  return reply;
}

void HubFetcher::verify(const std::string& file, const Announced& announced, PartialFile& partial) {
  if (announced.size_known && partial.size() != announced.size) {
    const uint64_t size = partial.size();
    partial.remove();
    fail("", options_.endpoint, ": ", file, " of ", name_, " should have ", announced.size,
         " bytes, ", size, " came; it was not kept");
  }
  const fs::path path = cache_.incomplete(announced.digest);
  const bool by_git = is_commit(announced.digest);
  const std::string digest = by_git ? git_name_of(path) : sha256_of(path);
  if (digest == announced.digest) return;
  partial.remove();
  fail("", options_.endpoint, ": ", file, " of ", name_, " should have the hash ", announced.digest,
       ", what came has ", digest, "; it was not kept, run again to fetch it anew");
}

void HubFetcher::wait(int attempt, const HttpReply& reply) const {
  constexpr int kMostDoublings = 5;
  const double ours = options_.retry_seconds * (1 << std::min(attempt - 1, kMostDoublings));
  const auto asked = static_cast<double>(number_from(reply.header("retry-after")).value_or(0));
  const double seconds = std::max(ours, std::min(asked, options_.longest_retry_seconds));
  if (options_.wait) return options_.wait(seconds);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

void HubFetcher::refuse(const HttpReply& reply, const std::string& file) const {
  const std::string code = reply.header("x-error-code");
  const std::string page = options_.endpoint + '/' + name_;
  if (code == "RevisionNotFound")
    fail("", page, " has no branch, tag or commit ", options_.revision);
  if (code == "GatedRepo" || reply.status == kForbidden)
    fail("", page, " is given out on request only: ask for access on that page, then set HF_TOKEN",
         options_.token.empty() ? "" : " to a token of the account that has it");
  if (code == "RepoNotFound" || reply.status == kNotFound || reply.status == kUnauthorized)
    fail("", page, " does not exist or is private",
         options_.token.empty() ? "; for a private model set HF_TOKEN"
                                : ", or the token (HF_TOKEN) does not open it");
  fail("cannot fetch ", file, " of ", name_, " from ", options_.endpoint, ": ", what_came(reply),
       is_passing(reply) ? "; run again later, what has come is kept" : "");
}

}  // namespace ink
