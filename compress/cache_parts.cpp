// One file of a teacher's cache, from the teacher's outputs and back.
#include "compress/cache_parts.h"

#include <cstring>

#include "autograd/checksum.h"
#include "autograd/tape.h"
#include "tensor/error.h"
#include "tensor/fingerprint.h"
#include "tensor/safetensors.h"
#include "text/batch.h"

namespace ink {
namespace {

constexpr const char* kMetadata = "teacher_cache";

// Not the targets: a teacher does not see them.
std::string token_digest(const Features& features) {
  Digest digest;
  for (int64_t i = 0; i < features.size(); ++i) {
    const Encoding& e = features[i].encoding;
    digest.add(std::span<const int32_t>(e.ids)).add(std::span<const int32_t>(e.segments));
  }
  return digest.to_string();
}

Json metadata_of(const SafeTensors& file) {
  for (const auto& [key, text] : file.metadata())
    if (key == kMetadata) return parse_json(text, file.path().string() + ": " + kMetadata);
  fail("", file.path().string(), ": expected metadata named ", kMetadata,
       "; this is no part of a teacher's cache");
}

// What sets a file apart from this job; digests say nothing to people.
std::string in_words(const Difference& d) {
  if (d.name == "tokens")
    return "it was made of other tokens than this job's: other examples (of augmentation those of "
           "another seed), or the same ones cut by another tokenizer or max_length";
  if (d.name == "teacher.weights") return "it was made by a teacher with other weights";
  return "it was made of " + d.name + ' ' + d.first + ", this job has " + d.second;
}

std::byte* row_of(const Tensor& x, int64_t row) {
  const int64_t elements = x.offset() + row * x.dim(1);
  return static_cast<std::byte*>(x.storage()->data()) +
         static_cast<size_t>(elements) * size_of(x.dtype());
}

// Examples [first, end) in batches of like length.
std::vector<std::vector<int64_t>> batches_within(const Features& features, int64_t first,
                                                 int64_t end) {
  std::vector<int64_t> lengths;
  for (int64_t i = first; i < end; ++i) lengths.push_back(features.length(i));
  auto all = batches(lengths, {.max_tokens = kInferencePlan.max_tokens,
                               .max_sequences = kInferencePlan.sequences,
                               .sort_window = kInferencePlan.sort_window});
  for (std::vector<int64_t>& batch : all)
    for (int64_t& example : batch) example += first;
  return all;
}

// Of the numbers of a column.
std::string checksum_of(const Tensor& column) {
  const size_t bytes = static_cast<size_t>(column.size()) * size_of(column.dtype());
  return checksum_text({bytes > 0 ? row_of(column, 0) : nullptr, bytes});
}

// What goes into each column, of a batch of examples.
std::vector<Tensor> stored_of(const CacheLayout& layout, ModelOutputs& said,
                              const std::vector<int64_t>& batch) {
  int64_t tokens = 0;
  for (const int64_t i : batch)
    tokens += layout.tokens_before[static_cast<size_t>(i + 1)] -
              layout.tokens_before[static_cast<size_t>(i)];
  std::vector<Tensor> all;
  for (const CachedField& field : layout.fields) {
    const Tensor x = on_host(place_of(field, said));
    const Shape wanted{field.of_tokens ? tokens : std::ssize(batch), field.width};
    check(x.shape() == wanted, "teacher_cache: expected ", field.name(), ' ', wanted,
          " of the teacher, got ", x.shape());
    for (Tensor& stored : stored_values(field, x, layout.options.dtype, layout.options.top_k))
      all.push_back(std::move(stored));
  }
  return all;
}

}  // namespace

CacheLayout::CacheLayout(TeacherCacheOptions cache_options, std::vector<CachedField> cache_fields,
                         const Features& features, Json teacher)
    : options(std::move(cache_options)), fields(std::move(cache_fields)), tokens_before({0}) {
  for (size_t f = 0; f < fields.size(); ++f)
    for (StoredTensor& stored : stored_tensors(fields[f], options.dtype, options.top_k))
      columns.push_back({f, std::move(stored)});
  for (int64_t i = 0; i < features.size(); ++i)
    tokens_before.push_back(tokens_before.back() + features.length(i));
  made_of = Json::make_object({{"teacher", std::move(teacher)},
                               {"tokens", token_digest(features)},
                               {"dtype", name_of(options.dtype)},
                               {"top_k", options.top_k}});
}

std::filesystem::path CacheLayout::path_of(size_t part) const {
  const std::string number = std::to_string(part);
  const std::string zeros(number.size() < 5 ? 5 - number.size() : 0, '0');
  return options.folder / ("teacher-" + zeros + number + ".safetensors");
}

int64_t CacheLayout::rows(const Column& column, int64_t first, int64_t end) const {
  if (!fields[column.field].of_tokens) return end - first;
  return tokens_before[static_cast<size_t>(end)] - tokens_before[static_cast<size_t>(first)];
}

int64_t CacheLayout::bytes(int64_t first, int64_t end) const {
  int64_t sum = 0;
  for (const Column& c : columns)
    sum += rows(c, first, end) * c.stored.width * static_cast<int64_t>(size_of(c.stored.dtype));
  return sum;
}

int64_t CacheLayout::end_of_part_from(int64_t first) const {
  int64_t end = first + 1;
  while (end < examples() && bytes(first, end + 1) <= options.part_bytes) ++end;
  return end;
}

CachePart open_part(const CacheLayout& layout, size_t part, int64_t first) {
  const SafeTensors file(layout.path_of(part));
  const std::string path = file.path().string();
  const Json metadata = metadata_of(file);
  if (const auto d = first_difference(metadata.object("made_of"), layout.made_of))
    fail("", path, ": ", in_words(*d));
  CachePart result{.first = metadata.integer_between("first", 0, layout.examples()),
                   .end = metadata.integer_between("end", 0, layout.examples())};
  check(result.first == first && result.end > first, "", path, ": expected examples from number ",
        first, " on, got ", result.first, " to ", result.end);
  const Json& checksums = metadata.object("checksums");
  for (const CacheLayout::Column& c : layout.columns) {
    const SafeTensors::Entry* entry = file.find(c.stored.name);
    check(entry != nullptr, "", path, ": it has no ", c.stored.name, ", which this job reads");
    const Shape wanted{layout.rows(c, first, result.end), c.stored.width};
    check(!entry->foreign && entry->dtype == c.stored.dtype && entry->shape == wanted, "", path,
          ": ", c.stored.name, ": expected ", name_of(c.stored.dtype), ' ', wanted, ", got ",
          entry->foreign ? entry->foreign : name_of(entry->dtype), ' ', entry->shape);
    result.columns.push_back(file.tensor(*entry));
    check(checksum_of(result.columns.back()) == checksums.string(c.stored.name), "", path, ": ",
          c.stored.name, ": its numbers are not those that were written");
  }
  return result;
}

void make_part(const CacheLayout& layout, size_t part, int64_t first, int64_t end,
               const Features& features,
               const std::function<ModelOutputs(const Packed& batch)>& outputs) {
  std::vector<NamedTensor> tensors;
  for (const CacheLayout::Column& c : layout.columns)
    tensors.push_back(
        {c.stored.name, Tensor({layout.rows(c, first, end), c.stored.width}, c.stored.dtype)});
  for (const std::vector<int64_t>& batch : batches_within(features, first, end)) {
    const Pause pause;
    ModelOutputs said = outputs(features.batch(batch).inputs);
    const std::vector<Tensor> stored = stored_of(layout, said, batch);
    for (size_t column = 0; column < stored.size(); ++column) {
      int64_t row = 0;
      for (const int64_t example : batch) {
        const CacheLayout::Column& c = layout.columns[column];
        const int64_t rows = layout.rows(c, example, example + 1);
        copy_rows(tensors[column].value, layout.rows(c, first, example), stored[column], row, rows);
        row += rows;
      }
    }
  }
  Json checksums = Json::make_object();
  for (const NamedTensor& column : tensors) checksums.set(column.name, checksum_of(column.value));
  const Json made = Json::make_object(
      {{"first", first}, {"end", end}, {"made_of", layout.made_of}, {"checksums", checksums}});
  write_safetensors(layout.path_of(part), tensors, {{kMetadata, made.to_string()}});
}

void copy_rows(Tensor& to, int64_t to_row, const Tensor& from, int64_t from_row, int64_t rows) {
  const auto bytes = static_cast<size_t>(rows * to.dim(1)) * size_of(to.dtype());
  if (bytes > 0) std::memcpy(row_of(to, to_row), row_of(from, from_row), bytes);
}

}  // namespace ink
