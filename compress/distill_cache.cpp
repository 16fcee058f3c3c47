// Folders and fingerprints of teachers' outputs.
#include "compress/distill_cache.h"

#include "nn/fingerprint.h"

namespace ink {

std::vector<std::string> digests_of(const DistillSetup& setup, const Heads& heads) {
  std::vector<std::string> digests;
  for (const std::filesystem::path& folder : setup.folders)
    digests.push_back(digest_of_weights(folder, heads));
  return digests;
}

CacheOnDisk cache_of(const DistillOptions& options, const DistillSetup& setup, size_t teacher,
                     const std::string& weights) {
  CacheOnDisk disk{.options = options.teacher_cache, .stop = options.fit.stop};
  if (disk.options.folder.empty()) return disk;
  if (setup.folders.size() > 1) disk.options.folder /= "teacher-" + std::to_string(teacher + 1);
  disk.made_by = Json::make_object(
      {{"weights", weights}, {"architecture", fingerprint_of(setup.teachers[teacher])}});
  return disk;
}

}  // namespace ink
