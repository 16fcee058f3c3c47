// The weights of a model folder, whichever of the usual files they are in, behind one interface.
//
//   const Weights weights = Weights::open(folder);
//   for (const Weights::Entry& e : weights.entries()) …            // name, shape, type
//   const Tensor x = converted(weights.tensor("pooler.dense.weight"), Dtype::f32);
//
// Opening checks names, shapes and ranges of every file and copies nothing; tensors borrow the
// mapped files where these allow it (tensor/safetensors.h, tensor/torch_file.h) and outlive
// Weights. Names are those of the files.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tensor/safetensors.h"
#include "tensor/torch_file.h"

namespace ink {

// The files that weights are looked for in, in this order.
inline constexpr const char* kWeightFiles[] = {"model.safetensors", "model.safetensors.index.json",
                                               "pytorch_model.bin", "pytorch_model.bin.index.json"};

class Weights {
 public:
  struct Entry {
    std::string name;
    Shape shape;
    Dtype dtype;
    uint32_t file, place;  // which file, and which of its tensors
    // A type of safetensors that no tensor here has; null: dtype is its type.
    const char* foreign = nullptr;
  };

  // The first of kWeightFiles that the folder holds. Raises Error that says what is there instead.
  static Weights open(const std::filesystem::path& folder);
  // One file: an index where it ends in .json, safetensors or a file of torch.save by its content.
  static Weights read(const std::filesystem::path& file);

  const std::vector<Entry>& entries() const { return entries_; }  // ordered by name
  const Entry* find(std::string_view name) const;                 // null when absent
  // Contiguous. Raises Error for a name that is not there and for damaged numbers.
  Tensor tensor(const Entry& entry) const;
  Tensor tensor(std::string_view name) const;

  uint64_t bytes() const;                                      // of all files
  const std::filesystem::path& path() const { return path_; }  // what was opened: a file or index
  const std::filesystem::path& path_of(const Entry& entry) const { return files_[entry.file].path; }

 private:
  struct File {
    std::filesystem::path path;
    std::variant<SafeTensors, TorchFile> content;
  };
  void add_file(const std::filesystem::path& path);
  void add_shards(const std::filesystem::path& index);
  void sort_entries();

  std::filesystem::path path_;
  std::vector<File> files_;
  std::vector<Entry> entries_;
};

// What an index says: the file that each tensor is in, ordered by name. Files are plain names in
// the index's own folder; raises Error for anything else, for names that come twice and for more
// than 16384 tensors.
using WeightMap = std::vector<std::pair<std::string, std::string>>;
WeightMap parse_weight_index(std::string_view text, const std::string& source);
WeightMap read_weight_index(const std::filesystem::path& index);

// Whether a file of this name is weights, or a shard or index of them: what Weights::open looks
// for, and "model-00001-of-00003.safetensors" or "pytorch_model-00001-of-00003.bin".
bool is_weight_file(std::string_view name);

struct SaveWeightsOptions {
  // Of floating-point tensors: f32, f16 or bf16; empty: as they are. Raises Error where a number is
  // too large for f16.
  std::optional<Dtype> dtype = {};
  uint64_t max_shard_bytes = 0;  // numbers in one file at most; 0: everything in one file
};

// Writes model.safetensors or, where the tensors do not fit into one file of max_shard_bytes,
// model-00001-of-0000N.safetensors … and their index. Each file appears completely or not at all.
// Files of an earlier save that would be read instead are removed: while shards are written the
// folder has no index.
void save_weights(const std::filesystem::path& folder, std::span<const NamedTensor> tensors,
                  const SaveWeightsOptions& options = {});

}  // namespace ink
