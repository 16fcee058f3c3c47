// Models by name: "hfl/chinese-bert-wwm" becomes a folder, from the local cache or by download.
//
// The cache has the layout of Hugging Face's own library, and both use one another's files:
//
//   models--hfl--chinese-bert-wwm/refs/main                   the commit that "main" stands for
//   models--hfl--chinese-bert-wwm/snapshots/<commit>/<file>   links to …
//   models--hfl--chinese-bert-wwm/blobs/<hash>                … the files, named by their content
//   .locks/models--hfl--chinese-bert-wwm/<hash>.lock          held while a file is fetched
//
// A model that the cache holds is used without asking anybody. Otherwise config.json, the weights
// (the first of kWeightFiles that exists, with its shards) and the tokenizer's files are fetched,
// all of one commit. Files arrive as blobs/<hash>.incomplete and get their name when size and hash
// are right; what a cut connection, a full disk or Ctrl-C left is taken up again at the next call.
// Every failure is one Error that says what to do, and leaves the cache as usable as before.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace ink {

// Where models are fetched from unless HubOptions or $HF_ENDPOINT say otherwise.
inline constexpr const char* kDefaultHub = "https://huggingface.co";

struct HubProgress {
  std::string file;
  uint64_t done = 0, total = 0;  // bytes; total is 0 where the server does not say
};

// What is left empty comes from the environment, as Hugging Face's library reads it.
struct HubOptions {
  bool offline = false;           // or $HF_HUB_OFFLINE: never download
  std::string revision = "main";  // a branch, tag or commit
  std::string endpoint = {};      // $HF_ENDPOINT, kDefaultHub
  std::string token = {};         // $HF_TOKEN, the file $HF_TOKEN_PATH or $HF_HOME/token
  // $HF_HUB_CACHE, $HUGGINGFACE_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub, ~/.cache
  std::filesystem::path cache = {};
  std::function<void(const HubProgress&)> progress = {};  // while files arrive
  double timeout_seconds = 30;                            // without any answer
  int attempts = 5;          // for each file, in a row without a byte arriving
  double retry_seconds = 1;  // before the second attempt; then twice as long each time
  // A server may ask for a longer wait (Retry-After), up to this.
  double longest_retry_seconds = 60;
  std::function<void(double seconds)> wait = {};  // instead of sleeping
};

// A folder that exists is returned as it is. Anything else should be the name of a model, "name" or
// "owner/name". Raises Error when there is neither.
std::filesystem::path resolve_model(const std::string& name_or_folder,
                                    const HubOptions& options = {});

}  // namespace ink
