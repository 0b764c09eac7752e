using System.Linq;

namespace FastAttn.Embeddings.Tests.Fixtures;

/// <summary>32 texts: short and long, in several scripts, code, emoji.</summary>
internal static class Texts
{
    public static readonly string[] All =
    [
        "",
        "a",
        "Hello, world!",
        "The quick brown fox jumps over the lazy dog.",
        "A man is eating food.",
        "A man is eating a piece of bread.",
        "The girl is carrying a baby.",
        "Someone in a gorilla costume is playing a set of drums.",
        "How do I reset my password?",
        "I forgot my login; where can I set a new one?",
        "Attention is all you need: the dominant sequence transduction models are based on complex recurrent or convolutional neural networks that include an encoder and a decoder. The best performing models also connect the encoder and decoder through an attention mechanism.",
        "Crème brûlée à la française, señor Ångström; naïve café résumé, coöperate.",
        "Zürich, ÄÖÜ, ß, STRASSE",
        "Привет, как дела? Всё хорошо.",
        "Ελληνικά: ο Σίσυφος και ο βράχος",
        "日本語のテキスト、カタカナとひらがな。",
        "中文分词测试：你好，世界！",
        "한국어 문장입니다. 안녕하세요",
        "العربية نص للتجربة",
        "हिन्दी में एक वाक्य",
        "Tiếng Việt có dấu: đường phố Hà Nội",
        "emoji 😀😃 👩‍👩‍👧‍👦 🇩🇪 ❤️ ✈️ 👍🏽 ☕",
        "public static int Main(string[] args) { return args.Length > 0 ? 1 : 0; } // ok",
        "def f(x):\n\treturn x**2 # comment\r\n",
        "{\"key\": [1, 2.5e-3, null], \"name\": \"\\u00e9\"}",
        "https://example.com/a/b?c=d&e=%20f#g user@example.org",
        "SELECT id, COUNT(*) FROM events WHERE kind <> 'test' GROUP BY id HAVING COUNT(*) >= 2;",
        "1234567890 3.14159 1,000,000 -5 +3 10% $5 €6",
        "ALL CAPS TEXT WITH NUMB3RS AND MiXeD cAsE",
        "   spaces \t tabs \n and lines   ",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa is no word",
        Long,
    ];

    /// <summary>Of more tokens than a tile of queries.</summary>
    private static string Long => string.Join(' ', Enumerable.Range(1, 17).Select(static i => $"Sentence number {i} of a text that is long tells of the weather in city {i * 37} and of its streets, trains and people."));
}
