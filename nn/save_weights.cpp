// Writing a model's weights as safetensors, in one file or in shards with an index.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "nn/weights.h"
#include "tensor/file.h"
#include "tensor/json.h"

namespace ink {

namespace fs = std::filesystem;

namespace {

constexpr const char* kWhole = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

std::string shard_name(size_t number, size_t count) {
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", number, count);
  return name;
}

void check_range(const NamedTensor& tensor, const Tensor& narrow) {
  const Tensor wide = contiguous(converted(tensor.value, Dtype::f32));
  for (int64_t i = 0; i < wide.size(); ++i) {
    const float before = wide.data<float>()[i];
    check(!std::isfinite(before) || std::isfinite(to_float(narrow.data<Float16>()[i])),
          "cannot save ", tensor.name, " as f16: ", before,
          " is beyond its largest number, 65504; save as bf16 or f32");
  }
}

NamedTensor as_saved(const NamedTensor& tensor, std::optional<Dtype> dtype) {
  if (!dtype || !tensor.value || !is_float(tensor.value.dtype())) return tensor;
  const Tensor value = contiguous(converted(tensor.value, *dtype));
  if (*dtype == Dtype::f16 && tensor.value.dtype() != Dtype::f16) check_range(tensor, value);
  return {tensor.name, value};
}

uint64_t saved_bytes(const NamedTensor& tensor, std::optional<Dtype> dtype) {
  const bool changes = dtype && is_float(tensor.value.dtype());
  return static_cast<uint64_t>(tensor.value.size()) *
         size_of(changes ? *dtype : tensor.value.dtype());
}

using Shard = std::vector<const NamedTensor*>;

void write_shard(const fs::path& path, const Shard& shard, std::optional<Dtype> dtype) {
  std::vector<NamedTensor> tensors;
  for (const NamedTensor* t : shard) tensors.push_back(as_saved(*t, dtype));
  write_safetensors(path, tensors);
}

void remove_other_weights(const fs::path& folder, const std::vector<std::string>& kept) {
  std::error_code ignored;
  std::vector<fs::path> old;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const bool ours = is_weight_file(name) && !name.starts_with("pytorch_model");
    if (ours && std::ranges::find(kept, name) == kept.end()) old.push_back(entry.path());
  }
  for (const fs::path& path : old) fs::remove(path, ignored);
}

void write_shards(const fs::path& folder, const std::vector<Shard>& shards,
                  std::optional<Dtype> dtype) {
  std::error_code ignored;
  fs::remove(folder / kIndex, ignored);  // it must not name shards of two saves
  uint64_t total = 0;
  Json::Members map;
  std::vector<std::string> names{kIndex};
  for (size_t i = 0; i < shards.size(); ++i) {
    names.push_back(shard_name(i + 1, shards.size()));
    write_shard(folder / names.back(), shards[i], dtype);
    for (const NamedTensor* t : shards[i]) {
      map.push_back({t->name, names.back()});
      total += saved_bytes(*t, dtype);
    }
  }
  std::ranges::sort(map, {}, &Json::Member::key);
  const Json index = Json::make_object({{"metadata", Json::make_object({{"total_size", total}})},
                                        {"weight_map", Json::make_object(std::move(map))}});
  write_file(folder / kIndex, index.to_string(2) + '\n');
  remove_other_weights(folder, names);
}

}  // namespace

void save_weights(const fs::path& folder, std::span<const NamedTensor> tensors,
                  const SaveWeightsOptions& options) {
  check(!options.dtype || (is_float(*options.dtype) && *options.dtype != Dtype::f64),
        "save_weights: expected f32, f16 or bf16");
  std::vector<std::string_view> names;
  std::vector<Shard> shards(1);
  uint64_t bytes = 0;
  for (const NamedTensor& t : tensors) {
    check(static_cast<bool>(t.value), "save_weights: the tensor ", t.name, " has no value");
    names.push_back(t.name);
    const uint64_t more = saved_bytes(t, options.dtype);
    const bool full = options.max_shard_bytes > 0 && !shards.back().empty() &&
                      bytes + more > options.max_shard_bytes;
    if (full) {
      shards.emplace_back();
      bytes = 0;
    }
    shards.back().push_back(&t);
    bytes += more;
  }
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  check(twice == names.end(), "save_weights: the tensor ", twice == names.end() ? "" : *twice,
        " appears twice");
  if (shards.size() > 1) return write_shards(folder, shards, options.dtype);
  write_shard(folder / kWhole, shards.front(), options.dtype);
  remove_other_weights(folder, {kWhole});
}

}  // namespace ink
