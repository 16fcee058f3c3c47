// safetensors files: [8 bytes N] [N bytes of JSON: name → dtype, shape,
// data_offsets] [the numbers].
//
// Reading maps the file: opening checks everything but copies nothing, and tensors borrow the
// mapping. The reader is strict: whatever the format's text forbids, whatever two readers could
// understand differently, and whatever we could not represent is one Error naming file, tensor and
// field. Tensors of the format's other types are listed, so that a file with booleans that nobody
// needs can be opened, and refused when they are asked for. Opening needs at most 8 times the
// file's size plus 16 MiB of memory, whatever the file holds.
// Format: github.com/huggingface/safetensors.
#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/file.h"
#include "tensor/tensor.h"

namespace ink {

using Metadata = std::vector<std::pair<std::string, std::string>>;

class SafeTensors {
 public:
  struct Entry {
    std::string name;
    Shape shape;
    Dtype dtype;
    uint64_t begin, end;  // bytes of the data
    // The name of a type that tensors here do not have, such as "BOOL"; dtype says nothing then.
    const char* foreign = nullptr;
  };

  explicit SafeTensors(const std::filesystem::path& path);
  // The same on bytes that `owner`, never null, keeps alive; `source` names them in messages.
  SafeTensors(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
              std::string source);

  const std::vector<Entry>& entries() const { return entries_; }  // ordered by name
  const Entry* find(std::string_view name) const;                 // null when absent
  // The numbers as they lie in the file (copied only where the file does not align them). Raises
  // Error for a name that is not there, and for one of a foreign type.
  Tensor tensor(const Entry& entry) const;
  Tensor tensor(std::string_view name) const;
  const Metadata& metadata() const { return metadata_; }
  std::filesystem::path path() const { return source_; }

 private:
  explicit SafeTensors(const std::shared_ptr<const MappedFile>& file);
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  std::string source_;  // the path, for messages
  uint64_t data_ = 0;   // where the numbers begin
  std::vector<Entry> entries_;
  Metadata metadata_;
};

struct NamedTensor {
  std::string name;
  Tensor value;
};

// Writes beside and renames (tensor/file.h). Tensors may be on any device. Names should differ;
// the numbers begin at a multiple of 64 bytes.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata = {{"format", "pt"}});

}  // namespace ink
