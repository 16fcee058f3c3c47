// What a teacher says about every example of a set, on disk: computed once, then mapped.
//
//   const TeacherCache cache({.folder = "cache", .dtype = Dtype::bf16},
//                            {.features = features, .fields = cached_fields(teacher, config),
//                             .teacher = fingerprint, .outputs = …});
//   const ModelOutputs wanted = cache.outputs(batch.rows);
//
// Examples are read one by one, so they may be shuffled and stand in any batch. In f32 they are the
// bits that the teacher would give; in bf16 each number is rounded to the nearest, to within 2⁻⁸ of
// itself. Files (compress/cache_parts.h) are written beside and renamed: making a cache that was
// interrupted goes on with the first part that is missing. Opening checks headers, sizes and the
// checksums of what the job reads. Tokens, weights or options that differ from those the cache was
// made of are an Error; more fields than a job reads are not.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "compress/cache_parts.h"

namespace ink {

// "folder" or {"folder": …, "dtype": "f32" or "bf16", "top_k": 0, "rebuild": false}, the value of
// `key`. Raises Error for unknown keys and values.
TeacherCacheOptions teacher_cache_from_json(const Json& object, const char* key);

// What is cached, and who computes what is missing.
struct CacheSource {
  const Features& features;
  std::vector<CachedField> fields = {};
  Json teacher = {};  // what decides the bits beside the tokens: weights, architecture
  std::function<ModelOutputs(const Packed& batch)> outputs = {};
  std::vector<int64_t> heads = {};                               // of each layer of the teacher
  std::function<void(const std::string& sentence)> notice = {};  // after each part that was made
  const std::atomic<bool>* stop = nullptr;  // set: Error after the part that is being made
};

// Raises Error as opening would for what is there; nothing is made.
void check_cache(const CacheLayout& layout);

class TeacherCache {
 public:
  // Opens what is there and makes what is missing. Raises Error, naming the file and what to do,
  // for a part that is damaged or made of something else, unless options.rebuild.
  TeacherCache(const TeacherCacheOptions& options, const CacheSource& source);

  // Of examples by their numbers, in this order; on the working place.
  ModelOutputs outputs(std::span<const int64_t> examples) const;
  int64_t parts() const { return std::ssize(parts_); }
  int64_t parts_made() const { return made_; }  // of them, in the constructor

 private:
  const CachePart& part_of(int64_t example) const;
  Tensor gathered(size_t column, std::span<const int64_t> examples) const;

  CacheLayout layout_;
  std::vector<int64_t> heads_;
  std::vector<CachePart> parts_;
  int64_t made_ = 0;
};

}  // namespace ink
