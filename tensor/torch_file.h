// pytorch_model.bin: a state dict that torch.save wrote, in the zip format (PyTorch 1.6 on) or the
// older one.
//
// Reading never runs anything (tensor/pickle.h). Opening maps the file and checks every name,
// shape and range; tensors borrow the mapping where the file aligns them and they lie in it row by
// row, and are copied otherwise. i16 becomes i32, booleans become u8. Opening needs at most 8
// times the file's size plus 16 MiB of memory, a tensor never more than the file's size (i16:
// twice). Tensors may share a storage, or repeat what little it holds; those that a model cannot
// borrow (of another type than f32, or not row by row) should need no more than twice the file's
// size plus 1 MiB together.
//
// The state dict is the outermost dictionary or, where that holds no tensor, the dictionary under
// its key state_dict, model_state_dict, model or module, the first of these that is there; once
// more inside that one. What is not a tensor beside the tensors is passed over, as torch does with
// extra state.
//
//   zip     an archive of stored entries: NAME/data.pkl, NAME/byteorder, NAME/data/KEY
//   before  pickles of a magic number, the protocol, properties of the system, the state dict and
//           the keys of storages; then for each key, in order: [8 bytes count] [the numbers]
#pragma once
#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/file.h"
#include "tensor/pickle.h"
#include "tensor/tensor.h"
#include "tensor/zip.h"

namespace ink {

class TorchFile {
 public:
  struct Entry {
    std::string name;
    Shape shape;
    Dtype dtype;
    // where in the file
    uint32_t storage;
    Strides strides;
    int64_t offset;
  };

  explicit TorchFile(const std::filesystem::path& path);
  // The same on bytes that `owner`, never null, keeps alive; `source` names them in messages.
  TorchFile(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
            std::string source);

  const std::vector<Entry>& entries() const { return entries_; }  // ordered by name
  const Entry* find(std::string_view name) const;                 // null when absent
  // Contiguous. Raises Error for a name that is not there, and where the checksum of the archive
  // says that the numbers are damaged.
  Tensor tensor(const Entry& entry) const;
  Tensor tensor(std::string_view name) const;

 private:
  struct Block {  // the numbers of a storage
    StorageType type;
    std::span<const std::byte> bytes;
    const ZipArchive::Entry* in_zip = nullptr;
  };

  explicit TorchFile(const std::shared_ptr<const MappedFile>& file);
  void read_zip();
  void read_legacy();
  void read_legacy_blocks(ByteReader& in, const Unpickler& keys, const Unpickler::Value& list,
                          const Unpickler& state);
  void add_entries(const Unpickler& state, const Unpickler::Value& top);
  void check_copies() const;
  Tensor mapped(const Entry& entry, const Block& block) const;
  Tensor gathered(const Entry& entry, const Block& block) const;

  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  std::string source_;
  std::optional<ZipArchive> zip_;
  std::vector<Block> blocks_;
  std::unique_ptr<std::atomic<bool>[]> intact_;  // blocks whose checksum was found right
  std::vector<Entry> entries_;
};

}  // namespace ink
