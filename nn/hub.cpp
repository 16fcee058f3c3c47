// From a name to a folder: what the cache holds, else which files to fetch.
#include "nn/hub.h"

#include <array>

#include "nn/hub_cache.h"
#include "nn/hub_fetch.h"
#include "nn/model_folder.h"
#include "nn/weights.h"
#include "tensor/error.h"
#include "tensor/folder_update.h"

namespace ink {

namespace fs = std::filesystem;

namespace {

void fetch_weights(HubFetcher& fetcher, const ModelCache& cache, const std::string& page) {
  for (const std::string weights : kWeightFiles) {
    if (!fetcher.fetch(weights)) continue;
    if (!weights.ends_with(".json")) return;
    const fs::path index = cache.snapshot(fetcher.commit()) / weights;
    std::string last;
    for (const auto& [tensor, shard] : read_weight_index(index)) {
      if (shard == last) continue;
      check(fetcher.fetch(shard), "", page, " lacks ", shard, ", which its ", weights, " names");
      last = shard;
    }
    return;
  }
  fail("", page, " holds no model.safetensors and no pytorch_model.bin");
}

fs::path fetch_model(const std::string& name, const ModelCache& cache, const HubOptions& options) {
  const std::string page = options.endpoint + '/' + name;
  HubFetcher fetcher(options, name, cache);
  check(fetcher.fetch("config.json"), "", page, " holds no config.json: it is no model");
  for (const char* file : kTokenizerFiles) fetcher.fetch(file);
  fetch_weights(fetcher, cache, page);
  // Last, so that the name keeps standing for a whole model.
  cache.set_commit_of(options.revision, fetcher.commit());
  return cache.snapshot(fetcher.commit());
}

// What another program left out of a model that it fetched, from the same commit.
void fetch_tokenizer(const std::string& name, const ModelCache& cache, HubOptions options,
                     const std::string& commit) {
  options.revision = commit;
  HubFetcher fetcher(options, name, cache);
  for (const char* file : kTokenizerFiles) fetcher.fetch(file);
}

}  // namespace

fs::path resolve_model(const std::string& name_or_folder, const HubOptions& options) {
  std::error_code ignored;
  if (fs::is_directory(name_or_folder, ignored)) {
    finish_update(name_or_folder);
    return name_or_folder;
  }
  check(!fs::exists(name_or_folder, ignored), "", name_or_folder,
        " is a file; expected a model's folder or name");
  check(is_model_name(name_or_folder), "there is no folder ", name_or_folder,
        ", and it is no name of a model, such as hfl/chinese-bert-wwm");
  const HubOptions full = with_environment(options);
  const ModelCache cache(full.cache, name_or_folder);
  const auto commit = cache.commit_of(full.revision);
  const bool held = commit && cache.holds_model(*commit);
  if (held) {
    try {
      if (!full.offline && !cache.holds_tokenizer(*commit))
        fetch_tokenizer(name_or_folder, cache, full, *commit);
    } catch (const Error&) {  // the model is whole without it
    }
    return cache.snapshot(*commit);
  }
  const std::string nowhere = "there is no folder " + name_or_folder +
                              ", and no such model in the cache " + full.cache.string();
  check(!full.offline, "", nowhere, "; nothing is downloaded offline");
  try {
    return fetch_model(name_or_folder, cache, full);
  } catch (const Error& error) {
    fail("", nowhere, "; ", error.message());
  }
}

}  // namespace ink
