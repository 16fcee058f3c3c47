// The cache of models on disk: where files are, what it holds, who may write (layout: nn/hub.h).
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "nn/hub.h"
#include "tensor/file_lock.h"

namespace ink {

// The options with everything from the environment filled in. Raises Error for an endpoint or token
// that cannot be right.
HubOptions with_environment(HubOptions options);

// Whether `name` can be a model's: letters, digits, - _ . and at most one slash.
bool is_model_name(const std::string& name);
bool is_commit(const std::string& text);  // 40 hexadecimal digits, in lower case
bool is_digest(const std::string& text);  // the same, or 64

// The folder of one model in the cache.
class ModelCache {
 public:
  ModelCache(const std::filesystem::path& cache, const std::string& name);

  // The commit that a branch or tag stood for when it was last fetched; a commit stands for itself.
  std::optional<std::string> commit_of(const std::string& revision) const;
  void set_commit_of(const std::string& revision, const std::string& commit) const;

  std::filesystem::path snapshot(const std::string& commit) const;
  std::filesystem::path blob(const std::string& digest) const;
  std::filesystem::path incomplete(const std::string& digest) const;
  // Whether config.json and all files of the weights are there.
  bool holds_model(const std::string& commit) const;
  // Whether a tokenizer's files are there, or are known to be nowhere.
  bool holds_tokenizer(const std::string& commit) const;
  bool holds(const std::string& commit, const std::string& file) const;

  // Files that the hub does not have need not be asked for again.
  bool is_absent(const std::string& commit, const std::string& file) const;
  void set_absent(const std::string& commit, const std::string& file) const;

  // Gives a blob its name in a snapshot.
  void link(const std::string& commit, const std::string& file, const std::string& digest) const;

  // Waits until no other process fetches this blob.
  FileLock lock(const std::string& digest) const;

 private:
  std::filesystem::path folder_, locks_;
};

}  // namespace ink
