// A teacher's cache: its parts in order, and batches gathered from them.
#include "compress/teacher_cache.h"

#include <algorithm>
#include <optional>
#include <system_error>

#include "nn/place.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/keys.h"
#include "tensor/parallel.h"

namespace ink {
namespace {

constexpr int64_t kLargestTop = int64_t{1} << 20;
constexpr const char* kAdvice =
    "; remove the folder, choose another, or have \"rebuild\": true in teacher_cache";

// The part that is there; nothing where there is none, or one that may be made again.
std::optional<CachePart> found_part(const CacheLayout& layout, size_t part, int64_t first) {
  if (!std::filesystem::exists(layout.path_of(part))) return {};
  try {
    return open_part(layout, part, first);
  } catch (const Error& error) {
    if (layout.options.rebuild) return {};
    fail("", error.message(), kAdvice);
  }
}

// Parts behind the last belong to something else.
void check_no_more(const CacheLayout& layout, size_t part) {
  for (; std::filesystem::exists(layout.path_of(part)); ++part) {
    check(layout.options.rebuild, "", layout.path_of(part).string(),
          ": expected no part behind the last example", kAdvice);
    std::filesystem::remove(layout.path_of(part));
  }
}

}  // namespace

TeacherCacheOptions teacher_cache_from_json(const Json& object, const char* key) {
  if (object[key].is_string()) {
    check(!object.string(key).empty(), "", object.where(key), ": expected the name of a folder");
    return {.folder = object.string(key)};
  }
  const Json& json = object.object(key);
  check_keys(json, {"folder", "dtype", "top_k", "rebuild"});
  TeacherCacheOptions options{.folder = json.string("folder")};
  check(!options.folder.empty(), "", json.where("folder"), ": expected the name of a folder");
  if (json.has("dtype"))
    options.dtype = choice(json, "dtype", {"f32", "bf16"}) == 0 ? Dtype::f32 : Dtype::bf16;
  if (json.has("top_k")) options.top_k = json.integer_between("top_k", 0, kLargestTop);
  options.rebuild = json.boolean("rebuild", false);
  return options;
}

void check_cache(const CacheLayout& layout) {
  int64_t first = 0;
  for (size_t part = 0; first < layout.examples(); ++part) {
    const std::optional<CachePart> found = found_part(layout, part, first);
    if (!found) return;
    first = found->end;
  }
}

TeacherCache::TeacherCache(const TeacherCacheOptions& options, const CacheSource& source)
    : layout_(options, source.fields, source.features, source.teacher), heads_(source.heads) {
  create_folders(options.folder);
  remove_stale_temporaries(options.folder);
  for (int64_t first = 0; first < layout_.examples(); first = parts_.back().end) {
    const size_t part = parts_.size();
    std::optional<CachePart> found = found_part(layout_, part, first);
    if (!found) {
      check(!source.stop || !*source.stop, "distill: stopped while the teacher's outputs were ",
            "written; ", part, " parts are in ", options.folder.string(),
            ", and the same command goes on from there");
      const int64_t end = layout_.end_of_part_from(first);
      make_part(layout_, part, first, end, source.features, source.outputs);
      ++made_;
      if (source.notice)
        source.notice("teacher's outputs of " + std::to_string(end) + " of " +
                      std::to_string(layout_.examples()) + " examples are in " +
                      options.folder.string());
      found = open_part(layout_, part, first);
    }
    parts_.push_back(std::move(*found));
  }
  check_no_more(layout_, parts_.size());
}

const CachePart& TeacherCache::part_of(int64_t example) const {
  check(example >= 0 && example < layout_.examples(), "teacher_cache: expected examples from 0 to ",
        layout_.examples() - 1, ", got ", example);
  return *std::prev(std::ranges::upper_bound(parts_, example, {}, &CachePart::first));
}

Tensor TeacherCache::gathered(size_t column, std::span<const int64_t> examples) const {
  const CacheLayout::Column& c = layout_.columns[column];
  std::vector<int64_t> row_of = {0};
  for (const int64_t i : examples) row_of.push_back(row_of.back() + layout_.rows(c, i, i + 1));
  Tensor all({row_of.back(), c.stored.width}, c.stored.dtype);
  parallel_for(std::ssize(examples), 1, [&](int64_t begin, int64_t end) {
    for (auto k = static_cast<size_t>(begin); k < static_cast<size_t>(end); ++k) {
      const CachePart& part = part_of(examples[k]);
      copy_rows(all, row_of[k], part.columns[column], layout_.rows(c, part.first, examples[k]),
                row_of[k + 1] - row_of[k]);
    }
  });
  return all;
}

ModelOutputs TeacherCache::outputs(std::span<const int64_t> examples) const {
  const Place place = working_place();
  ModelOutputs outputs{.logits = {}, .hidden = {}, .attention = {}, .heads = {}};
  std::vector<std::vector<Tensor>> stored(layout_.fields.size());
  for (size_t c = 0; c < layout_.columns.size(); ++c)
    stored[layout_.columns[c].field].push_back(gathered(c, examples));
  for (size_t f = 0; f < layout_.fields.size(); ++f) {
    const Tensor values = restored_values(layout_.fields[f], stored[f]);
    place_of(layout_.fields[f], outputs) = to(converted(values, place.dtype), place.device);
  }
  // A layer that no match reads has no inputs, but counts.
  if (!outputs.attention.empty()) {
    outputs.attention.resize(heads_.size());
    outputs.heads = heads_;
  }
  return outputs;
}

}  // namespace ink
