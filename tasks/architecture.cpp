// The keys of a family, and sizes from a file.
#include "tasks/architecture.h"

#include <string>
#include <vector>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/keys.h"

namespace ink {
namespace {

constexpr size_t kLongestFile = size_t{16} << 20;

// Read where present but not always written, or written by transformers and without meaning for the
// sizes of a model.
constexpr std::string_view kMoreKeys[] = {
    // read
    "head_size", "heads_per_layer", "ffn_per_layer", "embedding_size", "num_labels", "id2label",
    "label2id", "problem_type", "architectures", "position_embedding_type", "is_decoder",
    "add_cross_attention", "qa_dropout", "summary_last_dropout", "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    // of transformers
    "_name_or_path", "attn_type", "bi_data", "bos_token_id", "cls_token_id", "d_head",
    "directionality", "down_scale_factor", "dtype", "end_n_top", "eos_token_id", "finetuning_task",
    "gap_size", "generator_size", "gradient_checkpointing", "is_encoder_decoder", "language",
    "layer_norm_epsilon", "max_length", "mem_len", "mems_len", "name", "net_structure_type",
    "num_memory_blocks", "output_attentions", "output_hidden_states", "output_past",
    "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head",
    "pooler_type", "pruned_heads", "reuse_len", "same_length", "sep_token_id",
    "sinusoidal_pos_embds", "start_n_top", "summary_activation", "summary_type", "summary_use_proj",
    "task_specific_params", "torch_dtype", "torchscript", "transformers_version",
    "true_hidden_size", "untie_r", "use_bfloat16", "use_cache", "use_mems_eval", "use_mems_train"};

// What the smallest model of the family writes of itself, and more.
std::vector<std::string> known_keys(const Family& family) {
  ModelConfig smallest;
  smallest.family = &family;
  smallest.vocab_size = smallest.hidden_size = smallest.embedding_size = 1;
  smallest.bottlenecks.intra_bottleneck_size = 1;
  smallest.set_layers(1, 1, 1);
  std::vector<std::string> keys;
  const Json json = smallest.to_json();
  for (const Json::Member& member : json.members()) keys.push_back(member.key);
  keys.insert(keys.end(), std::begin(kMoreKeys), std::end(kMoreKeys));
  return keys;
}

}  // namespace

ModelConfig read_architecture(const std::filesystem::path& file, int64_t vocab_size) {
  Json json = parse_json(read_file(file, kLongestFile), file.string());
  check(json.is_object(), "", file.string(), ": expected a JSON object of sizes");
  const std::vector<std::string> keys = known_keys(family_of(json.string("model_type", "bert")));
  check_keys(json, std::vector<std::string_view>(keys.begin(), keys.end()));
  if (!json.has("vocab_size")) json.set("vocab_size", vocab_size);
  return ModelConfig::from(json);
}

}  // namespace ink
