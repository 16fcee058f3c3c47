// Fetching single files of a model from a hub into the cache, checked and resumable.
//
//   HEAD <endpoint>/<name>/resolve/<revision>/<file> tells commit (x-repo-commit), hash
//   (x-linked-etag or etag: SHA-256, or git's name for small files) and size (x-linked-size or
//   content-length); GET of the same address, perhaps redirected to another host, gives the bytes.
#pragma once
#include <cstdint>
#include <string>

#include "nn/http.h"
#include "nn/hub_cache.h"
#include "nn/partial_file.h"

namespace ink {

class HubFetcher {
 public:
  // `options` as with_environment() gives them.
  HubFetcher(const HubOptions& options, const std::string& name, const ModelCache& cache);

  // Puts a file into the snapshot of its commit, unless it is there. False when the hub has no such
  // file. The first file fixes the commit for all others. Raises Error when the hub refuses, does
  // not answer, or sends something else than it announced.
  bool fetch(const std::string& file);
  const std::string& commit() const { return commit_; }  // "" before the first file

 private:
  struct Announced {
    std::string digest;
    uint64_t size = 0;
    bool size_known = false;
  };
  std::string address(const std::string& file) const;
  HttpReply head(const std::string& file);
  Announced announced_by(const HttpReply& reply, const std::string& file) const;
  void download(const std::string& file, const Announced& announced);
  HttpReply receive(const std::string& file, const Announced& announced, PartialFile& partial);
  void verify(const std::string& file, const Announced& announced, PartialFile& partial);
  void wait(int attempt, const HttpReply& reply) const;
  [[noreturn]] void refuse(const HttpReply& reply, const std::string& file) const;

  const HubOptions& options_;
  std::string name_;
  const ModelCache& cache_;
  HttpClient client_;
  std::string commit_;
};

}  // namespace ink
