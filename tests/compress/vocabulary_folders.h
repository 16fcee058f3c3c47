// Small model folders of every family, each with a tokenizer of its own, to prune.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "nn/model_folder.h"
#include "tensor/file.h"
#include "tests/compress/helpers.h"
#include "tests/text/tiny_tokenizers.h"
#include "text/sentencepiece_file.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

namespace ink {

// A masked-LM model: the config of a golden folder, a kind of tokenizer, a tied decoder or not.
struct VocabularyFamily {
  const char* golden;     // in tests/golden/families
  const char* tokenizer;  // "WordPiece", "BPE", or the class of a SentencePiece file
  bool tied = true;
};

inline const std::vector<VocabularyFamily>& vocabulary_families() {
  static const std::vector<VocabularyFamily> all = {
      {"bert-MaskedLM", "WordPiece"},
      {"bert-MaskedLM", "WordPiece", false},
      {"electra-MaskedLM", "WordPiece"},
      {"distilbert-MaskedLM", "WordPiece"},
      {"mobilebert-PreTraining", "WordPiece"},
      {"roberta-MaskedLM", "BPE"},
      {"roberta-MaskedLM", "BPE", false},
      {"xlm-roberta-MaskedLM", "XLMRobertaTokenizer"},
      {"albert-PreTraining", "AlbertTokenizer"},
      {"albert-PreTraining", "AlbertTokenizer", false},
      {"xlnet-MaskedLM", "XLNetTokenizer"},
      {"xlnet-MaskedLM", "XLNetTokenizer", false}};
  return all;
}

inline SentencePieceFile small_pieces(const std::string& tokenizer) {
  using Type = SentencePieceFile::Type;
  SentencePieceFile file;
  file.pieces.push_back({"<unk>", 0, Type::unknown});
  if (tokenizer == "AlbertTokenizer")
    for (const char* name : {"<pad>", "[CLS]", "[SEP]", "[MASK]"})
      file.pieces.push_back({name, 0, Type::control});
  else
    for (const char* name : {"<s>", "</s>"}) file.pieces.push_back({name, 0, Type::control});
  if (tokenizer == "XLNetTokenizer")
    for (const char* name : {"<cls>", "<sep>", "<pad>", "<mask>"})
      file.pieces.push_back({name, 0, Type::control});
  const float scores[] = {-2, -3, -4, -4.5, -3.5, -5, -6, -9, -7, -3, -4, -5};
  const char* pieces[] = {"▁", "砚台", "砚", "台",  "▁ink", "stone",
                          "s", "x",    "墨", "▁好", "好",   "纸"};
  for (size_t i = 0; i < std::size(pieces); ++i)
    file.pieces.push_back({pieces[i], scores[i], Type::normal});
  return file;
}

inline void write_small_tokenizer(const std::string& kind, const std::filesystem::path& folder) {
  create_folders(folder);
  if (kind == "WordPiece") {
    Tokenizer(Vocabulary({"[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ink", "in",
                          "##k", "##stone", "砚", "台", "墨", "好", "##台", "纸", "s", "##s", "x"}))
        .save(folder);
  } else if (kind == "BPE") {
    Tokenizer(parse_tokenizer_json(testing::tiny_bpe().to_string(), "tokenizer.json")).save(folder);
  } else {
    const bool fairseq = kind == "XLMRobertaTokenizer";
    write_file(folder / (fairseq ? "sentencepiece.bpe.model" : "spiece.model"),
               write_sentencepiece(small_pieces(kind)));
    write_file(folder / "tokenizer_config.json",
               Json::make_object({{"tokenizer_class", kind}}).to_string());
  }
}

// Random weights, biases too, and `padding` rows behind the tokenizer's tokens.
inline void write_small_folder(const VocabularyFamily& family, const std::filesystem::path& folder,
                               int64_t padding = 3) {
  write_small_tokenizer(family.tokenizer, folder);
  ModelConfig config = ModelConfig::read(runs_of("families") / family.golden / "config.json");
  config.vocab_size = Tokenizer::load(folder).vocabulary().size() + padding;
  config.tie_word_embeddings = family.tied;
  const Model model(config, {.masked_lm = true},
                    [](const std::string& name, const Shape& shape, const Initial&) {
                      return random_values(Random(5))(name, shape, Initial::normal(0.2));
                    });
  save_model(model, folder);
}

}  // namespace ink
