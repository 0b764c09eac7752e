using System;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastAttn;

/// <summary>
/// The keys or the values of a cache, [pages, H_kv, page size, d]: the type of its rows, and where they are in the cache's memory. A row is the key or value of one token and head;
/// rows are numbered in the order of these axes. In a cache without pages, each sequence is one page. Memory is given by its first byte, and held by the caller.
/// </summary>
internal sealed class CachedRows
{
    /// <summary>The alignment of the first byte of rows and of scales, relative to the memory's first byte.</summary>
    public const int Alignment = 64;

    private readonly int _heads;
    private readonly int _pageSize;
    private readonly int _rowBytes;
    private readonly long _rows;
    private readonly float[] _channelScales;

    // Tokens that share scales and minima, if any do.
    private readonly int _groupsOfPage;

    // Bytes from the memory's first byte on.
    private readonly long _start;
    private readonly long _scaleStart;

    /// <summary>
    /// Places the rows and, after them, their separate scales: a scale for each row, [pages, H_kv, page size] floats, or scales and minima over 32 tokens, [pages, H_kv, page size / 32, 2, d] halves.
    /// </summary>
    /// <param name="element">The element type.</param>
    /// <param name="dim">d: elements in a row, a multiple of 32 if they are read in groups.</param>
    /// <param name="heads">H_kv.</param>
    /// <param name="pageSize">Tokens in a page: a multiple of 32 if these are rounded together.</param>
    /// <param name="pageCount">Pages.</param>
    /// <param name="channelScales">[H_kv, d], copied: the scales of 8-bit integers; empty if each row has its own.</param>
    /// <param name="start">The first free byte of the memory.</param>
    public CachedRows(AttentionElement element, int dim, int heads, int pageSize, int pageCount, ReadOnlySpan<float> channelScales, long start)
    {
        (Element, Dim, _heads, _pageSize, _channelScales) = (element, dim, heads, pageSize, channelScales.ToArray());
        _rows = (long)pageCount * heads * pageSize;
        _rowBytes = (int)AttentionInput.BytesOf(element, dim);
        _groupsOfPage = pageSize / OpenGroup.Tokens;
        _start = Align(start);
        _scaleStart = Align(_start + _rows * _rowBytes);
        End = _start + _rows * _rowBytes;
        if (HasRowScales)
            End = _scaleStart + _rows * sizeof(float);
        else if (IsInt4)
            End = _scaleStart + _rows / OpenGroup.Tokens * 2 * dim * sizeof(ushort);

        static long Align(long offset) => (offset + Alignment - 1) / Alignment * Alignment;
    }

    /// <summary>The element type.</summary>
    public AttentionElement Element { get; }

    /// <summary>d: elements in a row.</summary>
    public int Dim { get; }

    /// <summary>[H_kv, d]: the given scales of 8-bit integers; empty if each row has its own.</summary>
    public ReadOnlySpan<float> GivenScales => _channelScales;

    /// <summary>The first byte after the rows and their scales.</summary>
    public long End { get; }

    private bool IsInt4 => Element == AttentionElement.Int4;

    private bool HasRowScales => Element == AttentionElement.Int8 && _channelScales.Length == 0;

    /// <summary>Refuses a type that does not allow rows of a dimension.</summary>
    /// <param name="element">The type.</param>
    /// <param name="dim">d.</param>
    /// <param name="name">The parameter that has the type.</param>
    /// <param name="dimName">The parameter that has the dimension; null if it is not the call's.</param>
    public static void CheckElement(AttentionElement element, int dim, string name, string? dimName)
    {
        if (!Enum.IsDefined(element))
            throw new ArgumentOutOfRangeException(name, element, "The element type is not one that keys and values are kept in.");
        if (!AttentionInput.AreReadTogether(element) || dim % AttentionInput.GroupLength == 0)
            return;
        string possible = string.Join(", ", Array.FindAll(Enum.GetValues<AttentionElement>(), static other => !AttentionInput.AreReadTogether(other)));
        string message = $"{element} needs a dimension that is a multiple of {AttentionInput.GroupLength}; heads have {dim}. Of any dimension are {possible}.";
        throw dimName is null ? new ArgumentOutOfRangeException(name, element, message) : new ArgumentOutOfRangeException(dimName, dim, message);
    }

    /// <summary>Refuses a dimension that kernels do not support.</summary>
    /// <param name="dim">The dimension.</param>
    /// <param name="name">The parameter that has it.</param>
    public static void CheckDim(int dim, string name)
    {
        if (dim is < 1 or > ScaledDotProductAttention.MaxDim)
            throw new ArgumentOutOfRangeException(name, dim, $"The dimension must be 1 to {ScaledDotProductAttention.MaxDim}.");
    }

    /// <summary>Refuses scales per channel that do not fit.</summary>
    /// <param name="scales">The scales; empty for none.</param>
    /// <param name="element">The element type.</param>
    /// <param name="heads">H_kv.</param>
    /// <param name="dim">d.</param>
    /// <param name="name">The parameter that has the scales.</param>
    public static void CheckScales(ReadOnlySpan<float> scales, AttentionElement element, int heads, int dim, string name)
    {
        if (scales.IsEmpty)
            return;
        if (element != AttentionElement.Int8)
            throw new ArgumentException($"Scales are of {nameof(AttentionElement.Int8)}, not of {element}.", name);
        if (scales.Length != (long)heads * dim)
            throw new ArgumentException($"Has {scales.Length} elements; key-value heads {heads} × dimension {dim} need {(long)heads * dim}.", name);
        KeyValueQuantizer.CheckScales(scales, name);
    }

    /// <summary>
    /// The largest number of rows of a cache: an attention counts their elements, and a span of groups their bytes, in an <see cref="int"/>, and an array of floats must hold all of them with a
    /// scale for each row.
    /// </summary>
    /// <param name="element">The element type.</param>
    /// <param name="dim">d.</param>
    public static long MaxRows(AttentionElement element, int dim)
    {
        // Rows of one byte take less memory than their scales.
        long unitsOfRow = AttentionInput.IsInGroups(element) ? AttentionInput.BytesOf(element, dim) : Math.Max(dim, element == AttentionElement.Int8 ? 2 : 1);
        return Math.Min(Array.MaxLength / unitsOfRow, int.MaxValue / dim);
    }

    /// <summary>All rows as an input whose batch axis is that of the pages.</summary>
    public AttentionInput Input(ref byte memory)
    {
        ref byte start = ref At(ref memory, _start);
        int elements = (int)(_rows * Dim);
        AttentionStrides strides = AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, _heads, _pageSize, Dim);
        return Element switch
        {
            AttentionElement.Float32 => new(Numbers<float>(ref start, elements), strides),
            AttentionElement.Float16 => new(Numbers<Half>(ref start, elements), strides),
            AttentionElement.BFloat16 => new(Numbers<BFloat16>(ref start, elements), strides),
            AttentionElement.Int8 => new(Numbers<sbyte>(ref start, elements), Scales(ref memory), strides),
            AttentionElement.Int4 => AttentionInput.OfInt4(Numbers<byte>(ref start, (int)(_rows * _rowBytes)), ScalesOver32Tokens(ref memory), strides),
            _ => AttentionInput.OfGroups(Numbers<byte>(ref start, (int)(_rows * _rowBytes)), Element, strides),
        };
    }

    /// <summary>The error for a key or value that cannot be stored. Its inner exception distinguishes it from errors of sizes.</summary>
    /// <param name="row">What it is: "key" or "value".</param>
    /// <param name="element">The type that it should have been stored as.</param>
    /// <param name="reason">Which one it is and why, from <see cref="Write"/>.</param>
    /// <param name="name">The parameter that it comes from.</param>
    public static ArgumentException Refusal(string row, AttentionElement element, string reason, string name) =>
        new($"A {row} cannot be kept as {element}. {reason}", name, new ArithmeticException(reason));

    /// <summary>The floats of a sequence's open group; null if tokens are rounded one by one.</summary>
    public OpenGroup? CreateOpenGroup() => IsInt4 ? new(_heads, Dim) : null;

    /// <summary>
    /// Rounds the rows of consecutive tokens of a page to the stored type, as <see cref="KeyValueQuantizer"/> does. Everything that is appended passes through here, and each number is checked here
    /// once. Any number of threads may each write their own tokens.
    /// </summary>
    /// <param name="memory">The memory's first byte.</param>
    /// <param name="page">The page.</param>
    /// <param name="token">The first token's number in the page.</param>
    /// <param name="rows">The rows, of as many tokens as <see cref="OpenGroup.Together"/> says.</param>
    /// <param name="open">The sequence's open group (<see cref="CreateOpenGroup"/>).</param>
    /// <param name="groupsAfter">How many groups after the open one the tokens are in (<see cref="OpenGroup.GroupsAfter"/>).</param>
    /// <returns>Which of the tokens cannot be stored, and why; what has been written of them is then meaningless. Null if all are written.</returns>
    public (int Token, string Reason)? Write(ref byte memory, int page, int token, in NewRows rows, OpenGroup? open, int groupsAfter)
    {
        if (open is not null)
            return WriteGroup(ref memory, page, token, rows, open, groupsAfter);
        Span<float> turned = stackalloc float[rows.Rotary is null ? 0 : Dim], scratch = stackalloc float[rows.Rotary?.Dim ?? 0];
        for (int i = 0; i < rows.Count; i++)
        {
            ReadOnlySpan<float> turn = rows.Rotary is null ? default : rows.Rotary.Row(rows.Position + i, scratch);
            for (int head = 0; head < _heads; head++)
            {
                scoped ReadOnlySpan<float> row = rows.Numbers.Slice((i * _heads + head) * Dim, Dim);
                if (rows.Rotary is not null)
                {
                    row.CopyTo(turned);
                    rows.Rotary.Turn(turned, Dim, turn);
                    row = turned;
                }

                if (WriteRow(ref memory, RowOf(page, head, token + i), head, row) is { } reason)
                    return (i, Reason(rows, head, reason));
            }
        }

        return null;
    }

    /// <summary>Rounds the tokens of a group together.</summary>
    /// <param name="memory">The memory's first byte.</param>
    /// <param name="page">The page.</param>
    /// <param name="token">The first token's number in the page, a multiple of 32.</param>
    /// <param name="rows">[tokens, H_kv, d], up to 32 tokens of finite numbers.</param>
    /// <param name="first">Which of these tokens is the first new one.</param>
    /// <param name="isWritten">Whether they are written, or only checked.</param>
    /// <returns>If they cannot be stored: which of the tokens has the largest of a channel's new numbers, its head, and why. Null if all can be stored.</returns>
    public (int Token, int Head, string Reason)? Round(ref byte memory, int page, int token, ReadOnlySpan<float> rows, int first, bool isWritten = true)
    {
        const int Columns = Int4Rounding.Columns;
        int rowFloats = _heads * Dim, count = rows.Length / rowFloats;
        Span<Half> scales = stackalloc Half[Columns], minima = stackalloc Half[Columns];
        for (int head = 0; head < _heads; head++)
        {
            long row = RowOf(page, head, token);
            Span<byte> elements = Rows(ref memory, row, count);
            Span<Half> written = ScalesAndMinima(ref memory, row, 1);
            for (int c = 0; c < Dim; c += Columns)
            {
                Int4Rounding.FindRanges(rows, head * Dim + c, rowFloats, scales, minima);
                if (Int4Rounding.FindTooLarge(scales, minima) is >= 0 and int i)
                {
                    int largest = first;
                    for (int j = first; j < count; j++)
                    {
                        if (MathF.Abs(NumberOf(rows, j)) > MathF.Abs(NumberOf(rows, largest)))
                            largest = j;
                    }

                    return (largest, head, string.Create(CultureInfo.InvariantCulture, $"channel {c + i} is {NumberOf(rows, largest)}: {Element} keeps a channel of {OpenGroup.Tokens} tokens whose least number is {Half.MinValue} to {Half.MaxValue}, and whose range is at most {Int4Rounding.MaxInteger} times that."));

                    float NumberOf(ReadOnlySpan<float> rows, int j) => rows[(j * _heads + head) * Dim + c + i];
                }

                if (!isWritten)
                    continue;
                scales.CopyTo(written[c..]);
                minima.CopyTo(written[(Dim + c)..]);
                Int4Rounding.Round(rows, head * Dim + c, rowFloats, scales, minima, elements[(c / 2)..], _rowBytes);
            }
        }

        return null;
    }

    /// <summary>Copies the first tokens of a group, as they are stored, to the memory that an <see cref="OpenGroup"/> has for them, or back.</summary>
    /// <param name="memory">The memory's first byte.</param>
    /// <param name="page">The page.</param>
    /// <param name="token">The number in the page of the token after them.</param>
    /// <param name="stored">That memory.</param>
    /// <param name="isBack">Whether they are copied back.</param>
    public void CopyGroup(ref byte memory, int page, int token, Span<byte> stored, bool isBack)
    {
        int count = token % OpenGroup.Tokens;
        for (int head = 0; head < _heads; head++)
        {
            long row = RowOf(page, head, token - count);
            Copy(Rows(ref memory, row, count), ref stored);
            Copy(MemoryMarshal.AsBytes(ScalesAndMinima(ref memory, row, 1)), ref stored);
        }

        void Copy(scoped Span<byte> bytes, ref Span<byte> stored)
        {
            Span<byte> copy = stored[..bytes.Length];
            stored = stored[bytes.Length..];
            if (isBack)
                copy.CopyTo(bytes);
            else
                bytes.CopyTo(copy);
        }
    }

    /// <summary>The number of a row.</summary>
    /// <param name="page">The page.</param>
    /// <param name="head">The head.</param>
    /// <param name="token">The token's number in the page.</param>
    public long RowOf(int page, int head, int token) => ((long)page * _heads + head) * _pageSize + token;

    /// <summary>Reads a row as floats.</summary>
    /// <param name="memory">The memory's first byte.</param>
    /// <param name="row">The row's number.</param>
    /// <param name="head">Its head.</param>
    /// <param name="numbers">[d], written.</param>
    private void Read(ref byte memory, long row, int head, Span<float> numbers)
    {
        Input(ref memory).Row(row * Dim, numbers).CopyTo(numbers);
        if (IsInt4)
        {
            ReadOnlySpan<Half> scalesAndMinima = ScalesAndMinima(ref memory, row, 1);
            for (int i = 0; i < numbers.Length; i++)
                numbers[i] = (float)scalesAndMinima[i] * numbers[i] + (float)scalesAndMinima[Dim + i];
        }

        if (Element != AttentionElement.Int8)
            return;
        ReadOnlySpan<float> scales = HasRowScales ? RowScales(ref memory, row, 1) : ChannelScales(head);
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] *= scales[HasRowScales ? 0 : i];
    }

    /// <summary>Reads the rows of a token as floats.</summary>
    /// <param name="memory">The memory's first byte.</param>
    /// <param name="page">The page.</param>
    /// <param name="token">The token's number in the page.</param>
    /// <param name="numbers">[H_kv, d], written.</param>
    public void ReadToken(ref byte memory, int page, int token, Span<float> numbers)
    {
        for (int head = 0; head < _heads; head++)
            Read(ref memory, RowOf(page, head, token), head, numbers.Slice(head * Dim, Dim));
    }

    /// <summary>Copies consecutive rows, with their scales; where tokens are rounded together, from the beginning of a group.</summary>
    /// <param name="memory">The memory's first byte.</param>
    /// <param name="from">The first row's number.</param>
    /// <param name="destination">The destination, with rows of the same type and dimension.</param>
    /// <param name="destinationMemory">The first byte of its memory.</param>
    /// <param name="to">The number there of the first row that is written.</param>
    /// <param name="count">How many.</param>
    public void Copy(ref byte memory, long from, CachedRows destination, ref byte destinationMemory, long to, int count)
    {
        for (int done = 0, step; done < count; done += step)
        {
            step = StepOf(count - done);
            Rows(ref memory, from + done, step).CopyTo(destination.Rows(ref destinationMemory, to + done, step));
        }

        if (HasRowScales)
            RowScales(ref memory, from, count).CopyTo(destination.RowScales(ref destinationMemory, to, count));
        if (IsInt4)
            ScalesAndMinima(ref memory, from, GroupsOf(count)).CopyTo(destination.ScalesAndMinima(ref destinationMemory, to, GroupsOf(count)));
    }

    /// <summary>Exchanges consecutive rows for others, as <see cref="Copy"/> copies them.</summary>
    /// <param name="memory">The memory's first byte.</param>
    /// <param name="one">The first row's number.</param>
    /// <param name="other">The number of the first of the others.</param>
    /// <param name="count">How many of each.</param>
    public void Swap(ref byte memory, long one, long other, int count)
    {
        for (int i = 0; i < count; i++)
            Swap(Rows(ref memory, one + i, 1), Rows(ref memory, other + i, 1));
        if (HasRowScales)
            Swap(MemoryMarshal.AsBytes(RowScales(ref memory, one, count)), MemoryMarshal.AsBytes(RowScales(ref memory, other, count)));
        if (IsInt4)
            Swap(MemoryMarshal.AsBytes(ScalesAndMinima(ref memory, one, GroupsOf(count))), MemoryMarshal.AsBytes(ScalesAndMinima(ref memory, other, GroupsOf(count))));
    }

    private static void Swap(Span<byte> one, Span<byte> other)
    {
        Span<byte> buffer = stackalloc byte[1024];
        for (int first = 0; first < one.Length; first += buffer.Length)
        {
            int count = Math.Min(buffer.Length, one.Length - first);
            one.Slice(first, count).CopyTo(buffer);
            other.Slice(first, count).CopyTo(one[first..]);
            buffer[..count].CopyTo(other[first..]);
        }
    }

    private (int Token, string Reason)? WriteGroup(ref byte memory, int page, int token, in NewRows rows, OpenGroup open, int groupsAfter)
    {
        int first = token % OpenGroup.Tokens;
        ReadOnlySpan<float> group = open.Take(token, rows, groupsAfter);
        for (int i = 0; i < rows.Count; i++)
        {
            for (int head = 0; head < _heads; head++)
            {
                if (KeyValueQuantizer.WhyRefused(group.Slice(((first + i) * _heads + head) * Dim, Dim)) is { } reason)
                    return (i, Reason(rows, head, reason));
            }
        }

        return Round(ref memory, page, token - first, group, first) is { } refused ? (refused.Token - first, $"{HeadOf(rows, refused.Head)}, {refused.Reason}") : null;
    }

    private static string Reason(in NewRows rows, int head, string reason) => $"{HeadOf(rows, head)}: {reason}";

    private static string HeadOf(in NewRows rows, int head) => $"head {head}{(rows.Rotary is null ? "" : ", as it is turned")}";

    /// <summary>Rounds a row; returns why it is refused.</summary>
    private string? WriteRow(ref byte memory, long row, int head, ReadOnlySpan<float> numbers)
    {
        Span<float> scale = HasRowScales ? RowScales(ref memory, row, 1) : default;
        ReadOnlySpan<float> channelScales = _channelScales.Length == 0 ? default : ChannelScales(head);
        return KeyValueQuantizer.WriteRow(numbers, Element, Rows(ref memory, row, 1), scale, channelScales);
    }

    private static ref byte At(ref byte memory, long offset) => ref Unsafe.Add(ref memory, (nint)offset);

    private static Span<T> Numbers<T>(ref byte start, int count)
        where T : unmanaged => MemoryMarshal.CreateSpan(ref Unsafe.As<byte, T>(ref start), count);

    /// <summary>How many rows a span of bytes holds, at most the given number.</summary>
    private int StepOf(int rows) => Math.Min(rows, int.MaxValue / _rowBytes);

    /// <summary>The bytes of rows that exist and that a span holds.</summary>
    private Span<byte> Rows(ref byte memory, long row, int count) => Numbers<byte>(ref At(ref memory, _start + row * _rowBytes), count * _rowBytes);

    private AttentionScales Scales(ref byte memory) => HasRowScales
        ? AttentionScales.PerToken(RowScales(ref memory, 0, (int)_rows), AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, _heads, _pageSize, dim: 1))
        : AttentionScales.PerChannel(_channelScales);

    private AttentionScales ScalesOver32Tokens(ref byte memory) => AttentionScales.PerChannelOver32Tokens(
        ScalesAndMinima(ref memory, 0, (int)(_rows / OpenGroup.Tokens)), AttentionStrides.Of(AttentionLayout.BatchHeadLengthDim, _heads, _groupsOfPage, 2 * Dim));

    /// <summary>The scales and minima of consecutive groups, from a row's group on: [groups, 2, d].</summary>
    private Span<Half> ScalesAndMinima(ref byte memory, long row, int groups) =>
        Numbers<Half>(ref At(ref memory, _scaleStart + row / OpenGroup.Tokens * 2 * Dim * sizeof(ushort)), groups * 2 * Dim);

    private static int GroupsOf(int tokens) => (tokens + OpenGroup.Tokens - 1) / OpenGroup.Tokens;

    private Span<float> RowScales(ref byte memory, long row, int count) => Numbers<float>(ref At(ref memory, _scaleStart + row * sizeof(float)), count);

    private ReadOnlySpan<float> ChannelScales(int head) => _channelScales.AsSpan(head * Dim, Dim);
}
