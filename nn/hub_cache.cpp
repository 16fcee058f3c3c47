// Paths, links and locks of the model cache, and the environment that it is found by.
#include "nn/hub_cache.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <system_error>

#include "nn/weights.h"
#include "tensor/error.h"
#include "tensor/file.h"

namespace ink {

namespace fs = std::filesystem;

namespace {

constexpr size_t kLongestLine = 4096;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool is_true(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text == "1" || text == "ON" || text == "YES" || text == "TRUE";
}

std::string first_word(const std::string& text) {
  constexpr const char* kBlanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

fs::path home() {
  const std::string folder = environment("HOME");
  check(!folder.empty(), "cannot find the cache of models: set HF_HOME, HF_HUB_CACHE or HOME");
  return folder;
}

// The folder that a variable names, where "~" is HOME; empty where it is not set.
fs::path folder_from(const char* name) {
  const std::string path = environment(name);
  if (path == "~") return home();
  return path.starts_with("~/") ? home() / path.substr(2) : fs::path(path);
}

fs::path home_of_hub() {
  if (fs::path folder = folder_from("HF_HOME"); !folder.empty()) return folder;
  if (fs::path cache = folder_from("XDG_CACHE_HOME"); !cache.empty()) return cache / "huggingface";
  return home() / ".cache" / "huggingface";
}

// HUGGINGFACE_HUB_CACHE is the older name.
fs::path cache_of_hub() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (fs::path folder = folder_from(name); !folder.empty()) return folder;
  return home_of_hub() / "hub";
}

std::string stored_token() {
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})
    if (std::string token = first_word(environment(name)); !token.empty()) return token;
  const fs::path path = folder_from("HF_TOKEN_PATH");
  const fs::path file = path.empty() ? home_of_hub() / "token" : path;
  std::error_code ignored;
  return fs::is_regular_file(file, ignored) ? first_word(read_file(file, kLongestLine)) : "";
}

bool is_hexadecimal(const std::string& text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_revision(const std::string& text) {
  const bool plain = std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.' || c == '/';
  });
  return plain && !text.empty() && text.front() != '/' && text.back() != '/' &&
         text.find("..") == std::string::npos && text.find("//") == std::string::npos &&
         text.size() < 256;
}

}  // namespace

HubOptions with_environment(HubOptions o) {
  o.offline = o.offline || is_true(environment("HF_HUB_OFFLINE")) ||
              is_true(environment("TRANSFORMERS_OFFLINE"));
  if (o.endpoint.empty()) o.endpoint = environment("HF_ENDPOINT");
  if (o.endpoint.empty()) o.endpoint = kDefaultHub;
  while (o.endpoint.ends_with('/')) o.endpoint.pop_back();
  check(o.endpoint.starts_with("https://") || o.endpoint.starts_with("http://"),
        "the address of the hub (HF_ENDPOINT) should begin with https://, got ", o.endpoint);
  if (o.cache.empty()) o.cache = cache_of_hub();
  if (o.token.empty()) o.token = stored_token();
  check(std::ranges::all_of(o.token, [](char c) { return c > ' ' && c < 127; }),
        "the token (HF_TOKEN) holds characters that no token has");
  check(is_revision(o.revision), "expected the name of a branch, tag or commit, got ",
        o.revision.empty() ? "nothing" : o.revision);
  return o;
}

bool is_model_name(const std::string& name) {
  constexpr size_t kLongest = 96;
  const size_t slash = name.find('/');
  const auto is_part = [](const std::string& part) {
    const bool plain = std::ranges::all_of(part, [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
             c == '-' || c == '_' || c == '.';
    });
    return plain && !part.empty() && part.size() <= kLongest && part.front() != '.' &&
           part.front() != '-' && part.back() != '.' && part.back() != '-' &&
           part.find("--") == std::string::npos && part.find("..") == std::string::npos;
  };
  return slash == std::string::npos
             ? is_part(name)
             : is_part(name.substr(0, slash)) && is_part(name.substr(slash + 1));
}

bool is_commit(const std::string& text) { return text.size() == 40 && is_hexadecimal(text); }
bool is_digest(const std::string& text) {
  return is_commit(text) || (text.size() == 64 && is_hexadecimal(text));
}

// ── one model ───────────────────────────────────────────────────────────────────────────────────

ModelCache::ModelCache(const fs::path& cache, const std::string& name) {
  std::string folder = "models--" + name;
  if (const size_t slash = folder.find('/'); slash != std::string::npos)
    folder.replace(slash, 1, "--");
  folder_ = cache / folder;
  locks_ = cache / ".locks" / folder;
}

fs::path ModelCache::snapshot(const std::string& commit) const {
  return folder_ / "snapshots" / commit;
}
fs::path ModelCache::blob(const std::string& digest) const { return folder_ / "blobs" / digest; }
fs::path ModelCache::incomplete(const std::string& digest) const {
  return folder_ / "blobs" / (digest + ".incomplete");
}

std::optional<std::string> ModelCache::commit_of(const std::string& revision) const {
  if (is_commit(revision)) return revision;
  const fs::path ref = folder_ / "refs" / revision;
  std::error_code ignored;
  if (!fs::is_regular_file(ref, ignored)) return {};
  const std::string commit = first_word(read_file(ref, kLongestLine));
  return is_commit(commit) ? std::optional(commit) : std::nullopt;
}

void ModelCache::set_commit_of(const std::string& revision, const std::string& commit) const {
  if (is_commit(revision) || commit_of(revision) == commit) return;
  const fs::path ref = folder_ / "refs" / revision;
  create_folders(ref.parent_path());
  write_file(ref, commit);
}

bool ModelCache::holds(const std::string& commit, const std::string& file) const {
  std::error_code ignored;
  return fs::is_regular_file(snapshot(commit) / file, ignored);
}

bool ModelCache::holds_model(const std::string& commit) const {
  if (!holds(commit, "config.json")) return false;
  for (const std::string weights : kWeightFiles) {
    if (!holds(commit, weights)) continue;
    if (!weights.ends_with(".json")) return true;
    const fs::path index = snapshot(commit) / weights;
    return std::ranges::all_of(read_weight_index(index),
                               [&](const auto& entry) { return holds(commit, entry.second); });
  }
  return false;
}

bool ModelCache::holds_tokenizer(const std::string& commit) const {
  constexpr std::array kOneOfThese{"tokenizer.json", "vocab.txt", "vocab.json", "spiece.model",
                                   "sentencepiece.bpe.model"};
  return std::ranges::any_of(kOneOfThese, [&](const char* f) { return holds(commit, f); }) ||
         std::ranges::all_of(kOneOfThese, [&](const char* f) { return is_absent(commit, f); });
}

bool ModelCache::is_absent(const std::string& commit, const std::string& file) const {
  std::error_code ignored;
  return fs::exists(folder_ / ".no_exist" / commit / file, ignored);
}

void ModelCache::set_absent(const std::string& commit, const std::string& file) const {
  const fs::path note = folder_ / ".no_exist" / commit / file;
  create_folders(note.parent_path());
  write_file(note, "");
}

void ModelCache::link(const std::string& commit, const std::string& file,
                      const std::string& digest) const {
  const fs::path target = fs::path("../../blobs") / digest, path = snapshot(commit) / file;
  create_folders(path.parent_path());
  std::error_code code;
  if (fs::read_symlink(path, code) == target && !code) return;
  // Beside and renamed: others see the old file or the new one.
  const fs::path beside = path.string() + '.' + std::to_string(::getpid()) + ".partial";
  fs::remove(beside, code);
  fs::create_symlink(target, beside, code);
  if (code) {  // a file system without links
    write_file(path, read_file(blob(digest), fs::file_size(blob(digest))));
    return;
  }
  fs::rename(beside, path, code);
  check(!code, "cannot create ", path.string(), ": ", code.message());
}

FileLock ModelCache::lock(const std::string& digest) const {
  create_folders(locks_);
  return FileLock::wait(locks_ / (digest + ".lock"));
}

}  // namespace ink
