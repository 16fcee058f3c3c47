// Options in one order, and digests of the files they name.
#include "cli/study_inputs.h"

#include <algorithm>
#include <map>

#include "cli/values.h"
#include "tensor/file.h"
#include "tensor/fingerprint.h"
#include "text/corpus.h"
#include "text/segmenter.h"

namespace ink::cli {
namespace {

namespace fs = std::filesystem;

// Options that change nothing of what a step makes, or that the study gives it.
constexpr const char* kOfNoEffect[] = {
    "out",       "resume",           "save-at",          "offline",
    "log-every", "checkpoint-every", "keep-checkpoints", "tensorboard"};
constexpr const char* kFiles[] = {"text",    "vocab", "architecture", "dictionary",
                                  "similar", "model", "train",        "dev"};

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> all;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) all.push_back(entry.path());
  std::ranges::sort(all);
  return all;
}

class Inputs {
 public:
  // What a step is made of; `without` are further options that the study gives it, `files` further
  // inputs.
  Json of(const StudyStep& step, std::initializer_list<const char*> without,
          const std::vector<fs::path>& files) {
    Json options = step.values(), digests = Json::make_object();
    for (const char* key : kOfNoEffect) options.erase(key);
    for (const char* key : without) options.erase(key);
    for (const char* key : kFiles) {
      if (!options.has(key)) continue;
      for (const std::string& path : words_of(options[key], key))
        if (!path.empty() && fs::exists(path)) digests.set(path, digest_of(path, key));
    }
    for (const fs::path& path : files) digests.set(path.string(), digest_of(path, ""));
    if (uses_words(options) && options.string("dictionary").empty()) {
      const fs::path usual = dictionary_at("");
      digests.set(usual.string(), digest_of(usual, ""));
    }
    return Json::make_object({{"options", options}, {"files", digests}});
  }

 private:
  static bool uses_words(const Json& options) {
    if (!options.has("dictionary")) return false;
    return !options.has("comes to") || options.object("comes to").boolean("whole_words");
  }

  const std::string& digest_of(const fs::path& path, const std::string& key) {
    std::string& known = known_[path];
    if (!known.empty()) return known;
    std::vector<fs::path> files{path};
    if (fs::is_directory(path)) files = key == "text" ? text_files({path}) : files_below(path);
    Digest digest;
    for (const fs::path& file : files) digest.add(MappedFile::open(file)->text());
    return known = digest.to_string();
  }

  std::map<fs::path, std::string> known_;
};

}  // namespace

void find_inputs(StudyPlan& plan) {
  Inputs inputs;
  for (StudyVariant& v : plan.variants)
    v.made_of = inputs.of(pretraining(plan, v, plan.seeds.front()), {}, {});
  for (StudyTask& t : plan.tasks) {
    const StudyStep step = finetuning(plan, t, plan.seeds.front(), "model", "out");
    if (t.generator.is_null()) {
      t.made_of = inputs.of(step, {"model"}, {t.test});
      continue;
    }
    t.data_made_of = inputs.of(making_data(plan, t), {}, {});
    t.made_of = inputs.of(step, {"model", "train", "dev"}, {}).set("data", t.data_made_of);
  }
}

std::string difference_of(const Json& before, const Json& now) {
  const auto d = first_difference(before, now);
  if (!d) return "";
  constexpr std::string_view kFile = "files.", kOption = "options.";
  const size_t file = d->name.find(kFile), option = d->name.find(kOption);
  if (file != std::string::npos) return "another " + d->name.substr(file + kFile.size());
  return (option == std::string::npos ? d->name : d->name.substr(option + kOption.size())) + ' ' +
         d->first + ", now " + d->second;
}

}  // namespace ink::cli
