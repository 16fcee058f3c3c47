// The files of a teacher's cache (compress/teacher_cache.h): what lies where, making, opening.
//
//   teacher-00000.safetensors, teacher-00001.safetensors, …: consecutive examples each, with the
//   tensors of compress/cached_fields.h, one example's rows after those of the one before, and in
//   the metadata "teacher_cache": JSON {"first", "end", "made_of", "checksums": {tensor: XXH64}}.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "compress/cached_fields.h"
#include "tasks/features.h"
#include "tensor/json.h"

namespace ink {

struct TeacherCacheOptions {
  std::filesystem::path folder = {};  // empty: nothing is cached on disk
  Dtype dtype = Dtype::f32;           // or bf16
  int64_t top_k = 0;     // of the logits only the largest (compress/top_logits.h); 0: all
  bool rebuild = false;  // parts that are damaged or made of something else are made again
  int64_t part_bytes = int64_t{64} << 20;  // of a file; it holds one example at least
};

// Known before any file is read.
struct CacheLayout {
  // A tensor of each file: a whole field, or the values, indices or rest of one.
  struct Column {
    size_t field;
    StoredTensor stored;
  };
  TeacherCacheOptions options;
  std::vector<CachedField> fields;
  std::vector<Column> columns;         // in the order of fields
  std::vector<int64_t> tokens_before;  // each example; one more at the end
  Json made_of;                        // what the numbers depend on

  // `teacher` is what decides the bits beside tokens and options: weights, architecture.
  CacheLayout(TeacherCacheOptions options, std::vector<CachedField> fields,
              const Features& features, Json teacher);

  int64_t examples() const { return std::ssize(tokens_before) - 1; }
  std::filesystem::path path_of(size_t part) const;
  int64_t rows(const Column& column, int64_t first, int64_t end) const;  // of examples [first, end)
  int64_t bytes(int64_t first, int64_t end) const;                       // likewise
  int64_t end_of_part_from(int64_t first) const;  // where one ends that is to be made
};

struct CachePart {
  int64_t first = 0, end = 0;        // examples
  std::vector<Tensor> columns = {};  // mapped, (rows, width)
};

// Raises Error, naming the file and the field, unless it is a whole part that begins at `first`.
CachePart open_part(const CacheLayout& layout, size_t part, int64_t first);
// Computes examples [first, end) in batches of like length and writes them; `outputs` may answer
// from any device.
void make_part(const CacheLayout& layout, size_t part, int64_t first, int64_t end,
               const Features& features,
               const std::function<ModelOutputs(const Packed& batch)>& outputs);

// Copies rows between tensors of one width and type in the host's memory.
void copy_rows(Tensor& to, int64_t to_row, const Tensor& from, int64_t from_row, int64_t rows);

}  // namespace ink
