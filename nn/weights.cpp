// Finding and opening the files of a model's weights, whole or in shards.
#include "nn/weights.h"

#include <algorithm>
#include <array>
#include <map>

#include "tensor/file.h"
#include "tensor/json.h"

namespace ink {

namespace fs = std::filesystem;

namespace {

constexpr size_t kLongestIndex = size_t{1} << 24;
constexpr size_t kMostTensors = 16384;
constexpr JsonLimits kLimits{.depth = 8, .values = kMostTensors + 64};

// Files of other programs, and what to do about them.
constexpr std::array<const char*, 4> kForeign{"tf_model.h5", "flax_model.msgpack",
                                              "model.ckpt.index", "bert_model.ckpt.index"};

bool is_plain_name(std::string_view name) {
  constexpr std::string_view kForbidden("/\\\0", 3);
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(kForbidden) == std::string_view::npos;
}

[[noreturn]] void fail_without_weights(const fs::path& folder) {
  std::string there;
  std::error_code ignored;
  for (const char* name : kForeign)
    if (fs::exists(folder / name, ignored))
      there += (there.empty() ? "" : ", ") + std::string(name);
  fail("cannot load a model from ", folder.string(),
       ": expected model.safetensors, model.safetensors.index.json, pytorch_model.bin or "
       "pytorch_model.bin.index.json, it holds none of them",
       there.empty() ? "" : " but " + there + ", which PyTorch's transformers can convert");
}

// Byte 8 is the first of a safetensors header, and '{' in no file of torch.save.
bool is_safetensors(const MappedFile& file) {
  constexpr size_t kHeader = 8;
  return file.size() > kHeader && file.text()[kHeader] == '{';
}

}  // namespace

Weights Weights::open(const fs::path& folder) {
  check(fs::is_directory(folder), "cannot load a model from ", folder.string(),
        ": there is no such folder");
  for (const char* name : kWeightFiles) {
    const fs::path path = folder / name;
    std::error_code ignored;
    if (fs::exists(path, ignored)) return read(path);
    check(!fs::is_symlink(path, ignored), "cannot load a model from ", folder.string(), ": ", name,
          " points to a file that is not there; fetch the model again");
  }
  fail_without_weights(folder);
}

Weights Weights::read(const fs::path& file) {
  Weights weights;
  weights.path_ = file;
  if (file.extension() == ".json") {
    weights.add_shards(file);
  } else {
    weights.add_file(file);
  }
  weights.sort_entries();
  return weights;
}

void Weights::add_file(const fs::path& path) {
  const auto number = static_cast<uint32_t>(files_.size());
  const auto add_entries = [&](const auto& content) {
    uint32_t place = 0;
    for (const auto& e : content.entries()) {
      entries_.push_back({e.name, e.shape, e.dtype, number, place++});
      if constexpr (requires { e.foreign; }) entries_.back().foreign = e.foreign;
    }
  };
  const bool safe = path.extension() == ".safetensors" || is_safetensors(*MappedFile::open(path));
  if (safe) {
    files_.push_back({path, SafeTensors(path)});
    add_entries(std::get<SafeTensors>(files_.back().content));
  } else {
    files_.push_back({path, TorchFile(path)});
    add_entries(std::get<TorchFile>(files_.back().content));
  }
}

void Weights::add_shards(const fs::path& index) {
  const WeightMap map = read_weight_index(index);
  check(!map.empty(), "", index.string(), ": weight_map names no tensor");
  std::map<std::string_view, uint32_t> number_of;  // shards, in the order of their names
  for (const auto& [tensor, shard] : map) number_of.emplace(shard, 0);
  for (auto& [shard, number] : number_of) {
    const fs::path path = index.parent_path() / shard;
    check(fs::exists(path), "", index.string(), ": the file ", shard,
          " that it names is missing; fetch it too");
    number = static_cast<uint32_t>(files_.size());
    add_file(path);
  }
  sort_entries();
  for (const auto& [tensor, shard] : map) {
    const Entry* entry = find(tensor);
    check(entry != nullptr && entry->file == number_of[shard], "", index.string(), ": ", tensor,
          " should be in ", shard, ", it is ",
          entry ? "in " + files_[entry->file].path.filename().string() : "nowhere");
  }
  check(map.size() == entries_.size(), "", index.string(), ": it names ", map.size(),
        " tensors, its files hold ", entries_.size(), "; they do not belong together");
}

void Weights::sort_entries() {
  std::ranges::sort(entries_, {}, &Entry::name);
  const auto twice = std::ranges::adjacent_find(entries_, {}, &Entry::name);
  check(twice == entries_.end(), "", path_.string(), ": the tensor ",
        twice == entries_.end() ? "" : twice->name, " is in two files");
}

const Weights::Entry* Weights::find(std::string_view name) const {
  const auto at = std::ranges::lower_bound(entries_, name, {}, &Entry::name);
  return at != entries_.end() && at->name == name ? &*at : nullptr;
}

uint64_t Weights::bytes() const {
  uint64_t sum = 0;
  for (const File& file : files_) sum += fs::file_size(file.path);
  return sum;
}

Tensor Weights::tensor(std::string_view name) const {
  const Entry* entry = find(name);
  check(entry != nullptr, "", path_.string(), ": there is no tensor named ", name);
  return tensor(*entry);
}

Tensor Weights::tensor(const Entry& entry) const {
  return std::visit([&](const auto& file) { return file.tensor(file.entries()[entry.place]); },
                    files_[entry.file].content);
}

WeightMap read_weight_index(const fs::path& index) {
  return parse_weight_index(read_regular_file(index, kLongestIndex), index.string());
}

bool is_weight_file(std::string_view name) {
  if (std::ranges::find(kWeightFiles, name) != std::end(kWeightFiles)) return true;
  const bool whole = (name.starts_with("model-") && name.ends_with(".safetensors")) ||
                     (name.starts_with("pytorch_model-") && name.ends_with(".bin"));
  return whole && name.find("-of-") != std::string_view::npos;
}

WeightMap parse_weight_index(std::string_view text, const std::string& source) {
  WeightMap map;
  bool found = false;
  for_each_member(text, source, kLimits, [&](const std::string& key, const Json& value) {
    if (key != "weight_map") return;
    check(!std::exchange(found, true), "", source, ": weight_map appears twice");
    check(value.is_object(), "", source,
          ": weight_map: expected an object of tensors and the files they are in");
    map.reserve(value.size());
    for (const Json::Member& m : value.members()) {
      const std::string& shard = value.string(m.key);
      check(is_plain_name(shard), "", source, ": weight_map: ", m.key,
            ": expected the plain name of a file in the same folder, got ",
            Json(shard.substr(0, 80)).to_string());
      check(m.key.find('\0') == std::string::npos, "", source,
            ": weight_map: a tensor's name holds a NUL character");
      map.emplace_back(m.key, shard);
    }
  });
  check(found, "", source, ": weight_map: this key is missing; it is no index of weights");
  std::ranges::sort(map);
  return map;
}

}  // namespace ink
