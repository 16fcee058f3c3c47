// The table of students, and their configurations.
#include "compress/students.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

constexpr StudentPreset kPresets[] = {
    {"T6", 6, 768, 3072, 12},
    {"T3", 3, 768, 3072, 12},
    {"T3-small", 3, 384, 1536, 12},
    {"T4-tiny", 4, 312, 1200, 12},
    {"T12-nano", 12, 256, 1024, 4},
    {"TinyBERT-4", 4, 312, 1200, 12},
    {"TinyBERT-6", 6, 768, 3072, 12},
    {"DistilBERT", 6, 768, 3072, 12, distilbert_family},
    {"MiniLM-L6-H384", 6, 384, 1536, 12},
    {"MiniLM-L12-H384", 12, 384, 1536, 12},
    {"Electra-small", 12, 256, 1024, 4, electra_family, 128},
    {"BiGRU", 1, 768, 768, 1, bigru_family},
};

std::string plain(std::string_view name) {
  std::string letters;
  for (const char c : name)
    if (std::isalnum(static_cast<unsigned char>(c)))
      letters += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return letters;
}

const Family& family_for(const StudentPreset& preset, const ModelConfig& teacher) {
  if (preset.family) return preset.family();
  const bool like_bert = teacher.family->body_kind == BodyKind::bert && teacher.shared.groups == 0;
  return like_bert ? *teacher.family : bert_family();
}

constexpr int64_t kUsualPositions = 512;

// Rows of the table of positions. Families that count from behind the padding id have more of them
// than tokens; a preset is of such a family only where its teacher is.
int64_t positions_for(const Family& family, const ModelConfig& teacher) {
  if (&family == teacher.family) return teacher.max_position_embeddings;
  const bool unlimited = teacher.family->body_kind == BodyKind::xlnet;
  return unlimited ? kUsualPositions : teacher.longest();
}

// Kinds of segments that the teacher's tokenizer makes.
int64_t segments_of(const ModelConfig& teacher) {
  if (teacher.family->body_kind == BodyKind::xlnet) return 3;
  return teacher.family->embeddings.segment ? teacher.type_vocab_size : 2;
}

}  // namespace

std::span<const StudentPreset> student_presets() { return kPresets; }

const StudentPreset& student_preset(const std::string& name) {
  std::vector<std::string_view> names;
  for (const StudentPreset& preset : kPresets) {
    if (plain(preset.name) == plain(name)) return preset;
    names.emplace_back(preset.name);
  }
  fail("students: unknown preset ", in_quotes(name), "; ", correction(name, names));
}

ModelConfig student_config(const StudentPreset& preset, const ModelConfig& teacher) {
  const Family& family = family_for(preset, teacher);
  const ConfigKeys& keys = family.keys;
  Json json = Json::make_object({{"model_type", family.model_type},
                                 {"vocab_size", teacher.vocab_size},
                                 {keys.hidden_size, preset.hidden},
                                 {keys.layers, preset.layers},
                                 {keys.ffn, preset.ffn},
                                 {"max_position_embeddings", positions_for(family, teacher)}});
  if (keys.heads) json.set(keys.heads, preset.heads);
  if (family.embeddings.segment) json.set("type_vocab_size", segments_of(teacher));
  if (family.embeddings.projection)
    json.set("embedding_size", preset.embedding ? preset.embedding : preset.hidden);
  if (keys.layer_norm_eps) json.set(keys.layer_norm_eps, teacher.layer_norm_eps);
  json.set("pad_token_id", teacher.pad_token_id < 0 ? Json() : Json(teacher.pad_token_id));
  for (const char* id : {"bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"})
    if (const Json* value = teacher.other.find(id)) json.set(id, *value);
  return ModelConfig::from(json);
}

}  // namespace ink
