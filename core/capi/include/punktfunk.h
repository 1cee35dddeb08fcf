/* The client library of punktfunk/1. How to use it: docs/c-api.md.
 *
 * Made from core/capi/src by core/capi/tests/header.rs, which also says how to make it
 * anew. Licence: MIT OR Apache-2.0. */

#ifndef PUNKTFUNK_H
#define PUNKTFUNK_H

#include <stddef.h>
#include <stdint.h>

/*
 The version of this interface: it grows when something is added, and nothing is ever
 taken away or given another meaning.
 */
#define PUNKTFUNK_ABI_VERSION 1

/*
 Status: it worked.
 */
#define PUNKTFUNK_OK 0

/*
 Status: a pointer is NULL that must not be.
 */
#define PUNKTFUNK_NULL 1

/*
 Status: `struct_size` is not the size of a struct.
 */
#define PUNKTFUNK_SIZE 2

/*
 Status: a field is set that this version of the library does not know.
 */
#define PUNKTFUNK_NEWER 3

/*
 Status: a number is out of its range, or means nothing.
 */
#define PUNKTFUNK_VALUE 4

/*
 Status: a text is not UTF-8, a PIN not one of six digits, an address that of no host, or
 a code that of no invitation.
 */
#define PUNKTFUNK_TEXT 5

/*
 Status: the buffer is too small; the size that is needed was written.
 */
#define PUNKTFUNK_BUFFER 6

/*
 Status: the handle is of another kind, or was closed.
 */
#define PUNKTFUNK_HANDLE 7

/*
 Status: the event is of another kind.
 */
#define PUNKTFUNK_KIND 8

/*
 Status: too many handles of a kind are open (4096).
 */
#define PUNKTFUNK_TOO_MANY 9

/*
 Status: nothing happened in time.
 */
#define PUNKTFUNK_TIMEOUT 10

/*
 Status: the session has ended.
 */
#define PUNKTFUNK_ENDED 11

/*
 Status: the host said no; `punktfunk_last_code` says why.
 */
#define PUNKTFUNK_REFUSED 12

/*
 Status: the host cannot be reached, or the connection was lost.
 */
#define PUNKTFUNK_CONNECT 13

/*
 Status: the host did not prove that it is the one: do not trust it.
 */
#define PUNKTFUNK_NOT_PROVEN 14

/*
 Status: the host does not keep to the protocol.
 */
#define PUNKTFUNK_PROTOCOL 15

/*
 Status: this machine failed: files, sockets, threads.
 */
#define PUNKTFUNK_SYSTEM 16

/*
 Status: the identity cannot be read, or key and certificate do not belong together.
 */
#define PUNKTFUNK_IDENTITY 17

/*
 Status: the library itself failed. What was asked for may be done by half.
 */
#define PUNKTFUNK_INTERNAL 18

/*
 Code: somebody wanted it to end; no code was given.
 */
#define PUNKTFUNK_CODE_NONE 0

/*
 Code: a message broke the rules.
 */
#define PUNKTFUNK_CODE_BAD_MESSAGE 1

/*
 Code: no version in common.
 */
#define PUNKTFUNK_CODE_VERSION 2

/*
 Code: the host does not know this client.
 */
#define PUNKTFUNK_CODE_NOT_PAIRED 3

/*
 Code: the owner has not opened a window for pairing.
 */
#define PUNKTFUNK_CODE_PAIRING_CLOSED 4

/*
 Code: the PIN or the secret is not the right one.
 */
#define PUNKTFUNK_CODE_WRONG_PIN 5

/*
 Code: too many attempts; later.
 */
#define PUNKTFUNK_CODE_TOO_MANY_TRIES 6

/*
 Code: no room for another session.
 */
#define PUNKTFUNK_CODE_BUSY 7

/*
 Code: no application has this number.
 */
#define PUNKTFUNK_CODE_NO_SUCH_APP 8

/*
 Code: no session has this id, or it is another client's.
 */
#define PUNKTFUNK_CODE_NO_SUCH_SESSION 9

/*
 Code: nothing that both sides can do.
 */
#define PUNKTFUNK_CODE_UNSUPPORTED 10

/*
 Code: it did not work.
 */
#define PUNKTFUNK_CODE_FAILED 11

/*
 Code: the owner took the client's access away.
 */
#define PUNKTFUNK_CODE_REVOKED 12

/*
 Code: the session was resumed elsewhere.
 */
#define PUNKTFUNK_CODE_REPLACED 13

/*
 Code: the application ended.
 */
#define PUNKTFUNK_CODE_APP_ENDED 14

/*
 Code: the host is being stopped.
 */
#define PUNKTFUNK_CODE_HOST_STOPPING 15

/*
 Code: a step took too long.
 */
#define PUNKTFUNK_CODE_TIMEOUT 16

/*
 Code: the owner does not allow this to the client.
 */
#define PUNKTFUNK_CODE_NOT_ALLOWED 17

/*
 Bytes of a name in a struct, with its NUL.
 */
#define PUNKTFUNK_NAME_SIZE 260

/*
 Bytes of an address in a struct, with its NUL.
 */
#define PUNKTFUNK_ADDRESS_SIZE 64

/*
 Most addresses of a host.
 */
#define PUNKTFUNK_MAX_ADDRESSES 8

/*
 Access: to see and to hear.
 */
#define PUNKTFUNK_ACCESS_VIEW 1

/*
 Access: pointer, touch and pen.
 */
#define PUNKTFUNK_ACCESS_POINTER 2

/*
 Access: keyboard and text.
 */
#define PUNKTFUNK_ACCESS_KEYBOARD 4

/*
 Access: gamepads.
 */
#define PUNKTFUNK_ACCESS_PADS 8

/*
 Access: the clipboard, both ways.
 */
#define PUNKTFUNK_ACCESS_CLIPBOARD 16

/*
 Access: the microphone.
 */
#define PUNKTFUNK_ACCESS_MICROPHONE 32

/*
 Access: to launch and to quit applications.
 */
#define PUNKTFUNK_ACCESS_LAUNCH 64

/*
 Access: to put the machine to sleep, and the like.
 */
#define PUNKTFUNK_ACCESS_POWER 128

/*
 Access: to change the host's settings.
 */
#define PUNKTFUNK_ACCESS_MANAGE 256

/*
 Bytes of an identity.
 */
#define PUNKTFUNK_IDENTITY_SIZE 32

/*
 Phase: it is above the surface.
 */
#define PUNKTFUNK_PHASE_HOVER 0

/*
 Phase: it touched the surface.
 */
#define PUNKTFUNK_PHASE_DOWN 1

/*
 Phase: it left the surface.
 */
#define PUNKTFUNK_PHASE_UP 2

/*
 Phase: it moved on the surface.
 */
#define PUNKTFUNK_PHASE_MOVE 3

/*
 Phase: what it did shall not count.
 */
#define PUNKTFUNK_PHASE_CANCEL 4

/*
 Phase: only its buttons changed.
 */
#define PUNKTFUNK_PHASE_BUTTON 5

/*
 Phase: it is no longer above the surface.
 */
#define PUNKTFUNK_PHASE_HOVER_END 6

/*
 Phase: what any of them did shall not count.
 */
#define PUNKTFUNK_PHASE_CANCEL_ALL 7

/*
 Tool: it writes. Also when it is not known.
 */
#define PUNKTFUNK_TOOL_PEN 0

/*
 Tool: it erases.
 */
#define PUNKTFUNK_TOOL_ERASER 1

/*
 Pad: it did not say what it is.
 */
#define PUNKTFUNK_PAD_UNKNOWN 0

/*
 Pad: an Xbox pad.
 */
#define PUNKTFUNK_PAD_XBOX 1

/*
 Pad: a PlayStation pad.
 */
#define PUNKTFUNK_PAD_PLAYSTATION 2

/*
 Pad: a Nintendo pad.
 */
#define PUNKTFUNK_PAD_NINTENDO 3

/*
 Pad: a Steam Controller or Deck.
 */
#define PUNKTFUNK_PAD_STEAM 4

/*
 Capability: triggers with a range.
 */
#define PUNKTFUNK_PAD_CAN_ANALOG_TRIGGERS 1

/*
 Capability: two motors.
 */
#define PUNKTFUNK_PAD_CAN_RUMBLE 2

/*
 Capability: motors in the triggers.
 */
#define PUNKTFUNK_PAD_CAN_TRIGGER_RUMBLE 4

/*
 Capability: a touchpad.
 */
#define PUNKTFUNK_PAD_CAN_TOUCHPAD 8

/*
 Capability: an accelerometer.
 */
#define PUNKTFUNK_PAD_CAN_ACCELEROMETER 16

/*
 Capability: a gyroscope.
 */
#define PUNKTFUNK_PAD_CAN_GYRO 32

/*
 Capability: it tells its battery.
 */
#define PUNKTFUNK_PAD_CAN_BATTERY 64

/*
 Capability: a light of any colour.
 */
#define PUNKTFUNK_PAD_CAN_LED 128

/*
 Capability: a second touchpad.
 */
#define PUNKTFUNK_PAD_CAN_SECOND_TOUCHPAD 256

/*
 Button: direction pad.
 */
#define PUNKTFUNK_PAD_UP 1

/*
 Button: direction pad.
 */
#define PUNKTFUNK_PAD_DOWN 2

/*
 Button: direction pad.
 */
#define PUNKTFUNK_PAD_LEFT 4

/*
 Button: direction pad.
 */
#define PUNKTFUNK_PAD_RIGHT 8

/*
 Button: start, menu, options.
 */
#define PUNKTFUNK_PAD_START 16

/*
 Button: back, view, share.
 */
#define PUNKTFUNK_PAD_BACK 32

/*
 Button: left stick pressed.
 */
#define PUNKTFUNK_PAD_L3 64

/*
 Button: right stick pressed.
 */
#define PUNKTFUNK_PAD_R3 128

/*
 Button: left shoulder.
 */
#define PUNKTFUNK_PAD_LB 256

/*
 Button: right shoulder.
 */
#define PUNKTFUNK_PAD_RB 512

/*
 Button: the one with the maker's sign.
 */
#define PUNKTFUNK_PAD_GUIDE 1024

/*
 Button: the lower face button.
 */
#define PUNKTFUNK_PAD_A 4096

/*
 Button: the right face button.
 */
#define PUNKTFUNK_PAD_B 8192

/*
 Button: the left face button.
 */
#define PUNKTFUNK_PAD_X 16384

/*
 Button: the upper face button.
 */
#define PUNKTFUNK_PAD_Y 32768

/*
 Button: paddle on the back; 2 to 4 are the next higher bits.
 */
#define PUNKTFUNK_PAD_PADDLE_1 65536

/*
 Button: the touchpad pressed.
 */
#define PUNKTFUNK_PAD_TOUCHPAD 1048576

/*
 Button: share, capture, microphone.
 */
#define PUNKTFUNK_PAD_MISC 2097152

/*
 Sensor: acceleration, m/s².
 */
#define PUNKTFUNK_SENSOR_ACCELEROMETER 1

/*
 Sensor: turning, degrees a second.
 */
#define PUNKTFUNK_SENSOR_GYRO 2

/*
 Battery: it did not say.
 */
#define PUNKTFUNK_BATTERY_UNKNOWN 0

/*
 Battery: there is none.
 */
#define PUNKTFUNK_BATTERY_ABSENT 1

/*
 Battery: it is being used up.
 */
#define PUNKTFUNK_BATTERY_DISCHARGING 2

/*
 Battery: it is being charged.
 */
#define PUNKTFUNK_BATTERY_CHARGING 3

/*
 Battery: it is connected and not being charged.
 */
#define PUNKTFUNK_BATTERY_NOT_CHARGING 4

/*
 Battery: it is full.
 */
#define PUNKTFUNK_BATTERY_FULL 5

/*
 How full it is, is not known.
 */
#define PUNKTFUNK_BATTERY_NO_PERCENT 255

/*
 Bytes of the name of a session.
 */
#define PUNKTFUNK_SESSION_ID_SIZE 16

/*
 Codecs that can be asked for at once.
 */
#define PUNKTFUNK_MAX_CODECS 8

/*
 No application is named: the first will do.
 */
#define PUNKTFUNK_NO_APP 4294967295

/*
 Codec: H.264, 8 bits, 4:2:0.
 */
#define PUNKTFUNK_CODEC_H264 1

/*
 Codec: HEVC, 8 bits, 4:2:0.
 */
#define PUNKTFUNK_CODEC_HEVC 2

/*
 Codec: AV1, 8 bits, 4:2:0.
 */
#define PUNKTFUNK_CODEC_AV1 3

/*
 Codec: HEVC, 10 bits, 4:2:0.
 */
#define PUNKTFUNK_CODEC_HEVC_10 18

/*
 Codec: AV1, 10 bits, 4:2:0.
 */
#define PUNKTFUNK_CODEC_AV1_10 19

/*
 Added to a codec: 10 bits.
 */
#define PUNKTFUNK_CODEC_TEN_BITS 16

/*
 Added to a codec: 4:4:4.
 */
#define PUNKTFUNK_CODEC_FULL_CHROMA 32

/*
 Event: of a kind that this version of the interface does not tell. Release it.
 */
#define PUNKTFUNK_EVENT_OTHER 0

/*
 Event: a whole frame, in order (`punktfunk_event_frame`).
 */
#define PUNKTFUNK_EVENT_FRAME 1

/*
 Event: frames that will not come; what is needed to go on was asked for already
 (`punktfunk_event_frames_lost`).
 */
#define PUNKTFUNK_EVENT_FRAMES_LOST 2

/*
 Event: a packet of sound, in order (`punktfunk_event_sound`).
 */
#define PUNKTFUNK_EVENT_SOUND 3

/*
 Event: what a pad shall do (`punktfunk_event_effect`).
 */
#define PUNKTFUNK_EVENT_EFFECT 4

/*
 Event: what the picture's HDR means (`punktfunk_event_hdr`).
 */
#define PUNKTFUNK_EVENT_HDR 5

/*
 Event: the picture changes, or does not, and why (`punktfunk_event_reconfigured`). The
 first frame of the new epoch may come before it.
 */
#define PUNKTFUNK_EVENT_RECONFIGURED 6

/*
 Event: the owner changed what this client may do (`punktfunk_event_access`).
 */
#define PUNKTFUNK_EVENT_ACCESS 7

/*
 Event: something was copied on the host (`punktfunk_event_clipboard`).
 */
#define PUNKTFUNK_EVENT_CLIPBOARD 8

/*
 Event: the applications, as asked for (`punktfunk_event_apps`).
 */
#define PUNKTFUNK_EVENT_APPS 9

/*
 Event: the host did not do what was asked for last; the session goes on
 (`punktfunk_event_reason`).
 */
#define PUNKTFUNK_EVENT_REFUSED 10

/*
 Event: the connection is lost, and looked for (`punktfunk_event_reason`).
 */
#define PUNKTFUNK_EVENT_INTERRUPTED 11

/*
 Event: the session is back; epoch, mode and codec may be others
 (`punktfunk_event_welcome`).
 */
#define PUNKTFUNK_EVENT_RESUMED 12

/*
 Event: it is over. Said again for ever (`punktfunk_event_reason`).
 */
#define PUNKTFUNK_EVENT_ENDED 13

/*
 Flag of a frame: decoding can begin with it.
 */
#define PUNKTFUNK_FRAME_KEY 1

/*
 Flag of a frame: it refers to nothing that was lost.
 */
#define PUNKTFUNK_FRAME_RECOVERY 2

/*
 Flag of a frame: it is no repetition of the one before.
 */
#define PUNKTFUNK_FRAME_NEW_PICTURE 4

/*
 Effect: rumble until told otherwise (`low`, `high`).
 */
#define PUNKTFUNK_EFFECT_RUMBLE 1

/*
 Effect: rumble of the triggers until told otherwise (`left`, `right`).
 */
#define PUNKTFUNK_EFFECT_TRIGGER_RUMBLE 2

/*
 Effect: report motion so often (`sensor`, `rate`).
 */
#define PUNKTFUNK_EFFECT_MOTION_REPORTING 3

/*
 Effect: show this colour (`colour`).
 */
#define PUNKTFUNK_EFFECT_LED 4

/*
 Effect: resistance of the triggers (`sides`, `effects`, `left_trigger`,
 `right_trigger`).
 */
#define PUNKTFUNK_EFFECT_ADAPTIVE_TRIGGERS 5

/*
 A client: who it is. A handle, not an address.
 */
typedef struct PunktfunkClient PunktfunkClient;

/*
 Something that happened in a session. A handle, not an address.
 */
typedef struct PunktfunkEvent PunktfunkEvent;

/*
 A session that plays. A handle, not an address.
 */
typedef struct PunktfunkSession PunktfunkSession;

/*
 A whole frame.
 */
typedef struct PunktfunkFrame {
  /*
   `sizeof(PunktfunkFrame)`.
   */
  uint32_t struct_size;
  /*
   Its number.
   */
  uint32_t number;
  /*
   The access unit (H.264, HEVC: Annex B; AV1: low-overhead OBUs), until the event is
   released.
   */
  const uint8_t *data;
  /*
   Bytes of it.
   */
  size_t data_size;
  /*
   The epoch that it belongs to.
   */
  uint32_t epoch;
  /*
   `PUNKTFUNK_FRAME_...` bits.
   */
  uint32_t flags;
  /*
   When the picture was taken, microseconds of the host's clock (48 bits).
   */
  uint64_t timestamp;
  /*
   The same by `punktfunk_now`; 0: not known yet.
   */
  uint64_t captured;
  /*
   When its last datagram was handed to the network, by `punktfunk_now`; 0: not known
   yet.
   */
  uint64_t sent;
  /*
   When its first datagram arrived, by `punktfunk_now`.
   */
  uint64_t first;
  /*
   When it was whole, by `punktfunk_now`.
   */
  uint64_t whole;
  /*
   Data shards of it.
   */
  uint32_t shards;
  /*
   How many of them parity stood in for.
   */
  uint32_t recovered;
} PunktfunkFrame;

/*
 Frames that will not come.
 */
typedef struct PunktfunkFramesLost {
  /*
   `sizeof(PunktfunkFramesLost)`.
   */
  uint32_t struct_size;
  /*
   The number of the first.
   */
  uint32_t first;
  /*
   The number of the last.
   */
  uint32_t last;
} PunktfunkFramesLost;

/*
 A packet of sound; numbers that are left out are lost.
 */
typedef struct PunktfunkSound {
  /*
   `sizeof(PunktfunkSound)`.
   */
  uint32_t struct_size;
  /*
   Its number.
   */
  uint32_t seq;
  /*
   Opus as `PunktfunkWelcome` says, until the event is released.
   */
  const uint8_t *data;
  /*
   Bytes of it.
   */
  size_t data_size;
  /*
   When it was recorded, microseconds of the host's clock (48 bits).
   */
  uint64_t timestamp;
} PunktfunkSound;

/*
 What a pad shall do. Fields that `kind` does not name are 0.
 */
typedef struct PunktfunkEffect {
  /*
   `sizeof(PunktfunkEffect)`.
   */
  uint32_t struct_size;
  /*
   The pad.
   */
  uint32_t pad;
  /*
   `PUNKTFUNK_EFFECT_...`.
   */
  uint32_t kind;
  /*
   The heavy motor, 0 to 65,535.
   */
  uint32_t low;
  /*
   The light motor, 0 to 65,535.
   */
  uint32_t high;
  /*
   The motor in the left trigger, 0 to 65,535.
   */
  uint32_t left;
  /*
   The motor in the right trigger, 0 to 65,535.
   */
  uint32_t right;
  /*
   `PUNKTFUNK_SENSOR_...`.
   */
  uint32_t sensor;
  /*
   Reports a second; 0 is never.
   */
  uint32_t rate;
  /*
   Red, green, blue.
   */
  uint8_t colour[3];
  /*
   4: the right side is valid, 8: the left side is.
   */
  uint8_t sides;
  /*
   Effect numbers of a DualSense, left and right.
   */
  uint8_t effects[2];
  /*
   Parameters of the left side.
   */
  uint8_t left_trigger[10];
  /*
   Parameters of the right side.
   */
  uint8_t right_trigger[10];
  /*
   0.
   */
  uint8_t reserved[2];
} PunktfunkEffect;

/*
 Mastering display and content light (SMPTE ST 2086, CTA-861.3).
 */
typedef struct PunktfunkHdr {
  /*
   `sizeof(PunktfunkHdr)`.
   */
  uint32_t struct_size;
  /*
   0 when the picture has no HDR any more; then all the rest is 0.
   */
  uint32_t present;
  /*
   x and y of red, green and blue, 50,000ths.
   */
  uint16_t primaries[6];
  /*
   x and y of white, 50,000ths.
   */
  uint16_t white[2];
  /*
   Most luminance of the mastering display, cd/m².
   */
  uint32_t maximum;
  /*
   Least luminance of the mastering display, 10,000ths of cd/m².
   */
  uint32_t minimum;
  /*
   MaxCLL, cd/m².
   */
  uint32_t content;
  /*
   MaxFALL, cd/m².
   */
  uint32_t frame_average;
} PunktfunkHdr;

/*
 The picture from an epoch on.
 */
typedef struct PunktfunkReconfigured {
  /*
   `sizeof(PunktfunkReconfigured)`.
   */
  uint32_t struct_size;
  /*
   The epoch whose frames are so.
   */
  uint32_t epoch;
  /*
   Pixels.
   */
  uint32_t width;
  /*
   Pixels.
   */
  uint32_t height;
  /*
   Thousandths of a hertz.
   */
  uint32_t refresh_mhz;
  /*
   `PUNKTFUNK_CODEC_...`.
   */
  uint32_t codec;
  /*
   Video with parity, kbit/s.
   */
  uint32_t bitrate_kbps;
  /*
   0.
   */
  uint32_t reserved;
  /*
   Why it is other than asked for; empty when it is not. UTF-8 with a NUL, until the
   event is released.
   */
  const char *text;
} PunktfunkReconfigured;

/*
 Something that was copied on the host.
 */
typedef struct PunktfunkClipboard {
  /*
   `sizeof(PunktfunkClipboard)`.
   */
  uint32_t struct_size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   What it is, a media type: UTF-8 with a NUL, until the event is released.
   */
  const char *mime;
  /*
   The bytes of it, until the event is released.
   */
  const uint8_t *data;
  /*
   How many.
   */
  size_t data_size;
} PunktfunkClipboard;

/*
 An application of a host.
 */
typedef struct PunktfunkApp {
  /*
   `sizeof(PunktfunkApp)`.
   */
  uint32_t struct_size;
  /*
   Its number, for `PunktfunkConfig`.
   */
  uint32_t id;
  /*
   1 when it runs for this client, else 0.
   */
  uint32_t running;
  /*
   Its title: UTF-8 with a NUL.
   */
  char title[PUNKTFUNK_NAME_SIZE];
} PunktfunkApp;

/*
 Why something was refused, interrupted or ended.
 */
typedef struct PunktfunkReason {
  /*
   `sizeof(PunktfunkReason)`.
   */
  uint32_t struct_size;
  /*
   `PUNKTFUNK_CODE_...`.
   */
  uint32_t code;
  /*
   For people: UTF-8 with a NUL, until the event is released.
   */
  const char *text;
} PunktfunkReason;

/*
 What was agreed on.
 */
typedef struct PunktfunkWelcome {
  /*
   `sizeof(PunktfunkWelcome)`.
   */
  uint32_t struct_size;
  /*
   The version of the protocol.
   */
  uint32_t version;
  /*
   Names the session, to resume it in another life of this client.
   */
  uint8_t session[PUNKTFUNK_SESSION_ID_SIZE];
  /*
   The epoch that frames begin with, or now have.
   */
  uint32_t epoch;
  /*
   Pixels.
   */
  uint32_t width;
  /*
   Pixels.
   */
  uint32_t height;
  /*
   Thousandths of a hertz.
   */
  uint32_t refresh_mhz;
  /*
   `PUNKTFUNK_CODEC_...`.
   */
  uint32_t codec;
  /*
   Video with parity, kbit/s.
   */
  uint32_t bitrate_kbps;
  /*
   What this client may do: `PUNKTFUNK_ACCESS_...` bits.
   */
  uint32_t access;
  /*
   1 when the microphone is taken.
   */
  uint32_t mic;
  /*
   How many pads are taken.
   */
  uint32_t pads;
  /*
   The number of the application.
   */
  uint32_t app;
  /*
   1 when the application ran before.
   */
  uint32_t resumed;
  /*
   Channels of sound: 2, 6 or 8; 0 is no sound.
   */
  uint32_t channels;
  /*
   Opus streams in a packet of sound.
   */
  uint32_t streams;
  /*
   How many of them are coupled.
   */
  uint32_t coupled;
  /*
   Microseconds of sound in a packet.
   */
  uint32_t sound_us;
  /*
   For each channel which decoded one it is (RFC 7845, section 5.1.1).
   */
  uint8_t mapping[8];
  /*
   What the host calls itself: UTF-8 with a NUL.
   */
  char name[PUNKTFUNK_NAME_SIZE];
} PunktfunkWelcome;

/*
 A host that announces itself on the local network. Anybody can announce anything: it
 is good for knowing where to try, and for nothing else.
 */
typedef struct PunktfunkHost {
  /*
   `sizeof(PunktfunkHost)`.
   */
  uint32_t struct_size;
  /*
   How many addresses there are.
   */
  uint32_t address_count;
  /*
   The first 8 bytes of its identity, as it says.
   */
  uint8_t fingerprint[8];
  /*
   What it calls itself: UTF-8 with a NUL.
   */
  char name[PUNKTFUNK_NAME_SIZE];
  /*
   Addresses with ports, IPv4 first, each with a NUL.
   */
  char addresses[PUNKTFUNK_MAX_ADDRESSES][PUNKTFUNK_ADDRESS_SIZE];
} PunktfunkHost;

/*
 A host that proved that it knows the PIN or the secret: what to keep of it.
 */
typedef struct PunktfunkPaired {
  /*
   `sizeof(PunktfunkPaired)`.
   */
  uint32_t struct_size;
  /*
   What its owner allows: `PUNKTFUNK_ACCESS_...` bits.
   */
  uint32_t access;
  /*
   Its identity, for `PunktfunkConfig`.
   */
  uint8_t host[32];
  /*
   Where it was: an address with a port and a NUL.
   */
  char address[PUNKTFUNK_ADDRESS_SIZE];
} PunktfunkPaired;

/*
 A finger on the screen.
 */
typedef struct PunktfunkTouch {
  /*
   `sizeof(PunktfunkTouch)`.
   */
  uint32_t struct_size;
  /*
   Tells fingers apart.
   */
  uint32_t id;
  /*
   `PUNKTFUNK_PHASE_...`.
   */
  uint32_t phase;
  /*
   Degrees clockwise, 0 to 360; below 0: not known. Default: -1.
   */
  float rotation;
  /*
   From the left edge of the picture, 0 to 1.
   */
  double x;
  /*
   From the top edge of the picture, 0 to 1.
   */
  double y;
  /*
   0 to 1 while it touches; below 0: not known. Default: -1.
   */
  double pressure;
  /*
   Longer axis of the contact as a share of the screen; below 0: not known. Default: -1.
   */
  double contact_major;
  /*
   Shorter axis of the contact as a share of the screen; below 0: not known. Default:
   -1.
   */
  double contact_minor;
} PunktfunkTouch;

/*
 A pen on or above the screen.
 */
typedef struct PunktfunkPen {
  /*
   `sizeof(PunktfunkPen)`.
   */
  uint32_t struct_size;
  /*
   `PUNKTFUNK_PHASE_...`.
   */
  uint32_t phase;
  /*
   `PUNKTFUNK_TOOL_...`.
   */
  uint32_t tool;
  /*
   Its buttons: 1, 2 and 4.
   */
  uint32_t buttons;
  /*
   From the left edge of the picture, 0 to 1.
   */
  double x;
  /*
   From the top edge of the picture, 0 to 1.
   */
  double y;
  /*
   0 to 1 while it touches; below 0: not known. Default: -1.
   */
  double pressure;
  /*
   0 (near) to 1 (far) while it hovers; below 0: not known. Default: -1.
   */
  double distance;
  /*
   Where its tip points to, degrees clockwise from up, 0 to 360; below 0: not known.
   Default: -1.
   */
  float rotation;
  /*
   Degrees from upright, 0 to 90; below 0: not known. Default: -1.
   */
  float tilt;
} PunktfunkPen;

/*
 Everything that is pressed or pushed on a pad, whole.
 */
typedef struct PunktfunkPadState {
  /*
   `sizeof(PunktfunkPadState)`.
   */
  uint32_t struct_size;
  /*
   `PUNKTFUNK_PAD_...` bits of the buttons.
   */
  uint32_t buttons;
  /*
   Left trigger, 0 to 255.
   */
  uint32_t left_trigger;
  /*
   Right trigger, 0 to 255.
   */
  uint32_t right_trigger;
  /*
   Left stick, to the right.
   */
  int16_t left_x;
  /*
   Left stick, **up**.
   */
  int16_t left_y;
  /*
   Right stick, to the right.
   */
  int16_t right_x;
  /*
   Right stick, **up**.
   */
  int16_t right_y;
} PunktfunkPadState;

/*
 A finger on a pad's touchpad.
 */
typedef struct PunktfunkPadTouch {
  /*
   `sizeof(PunktfunkPadTouch)`.
   */
  uint32_t struct_size;
  /*
   0, or 1 for the second touchpad.
   */
  uint32_t touchpad;
  /*
   Tells fingers apart.
   */
  uint32_t id;
  /*
   `PUNKTFUNK_PHASE_...`.
   */
  uint32_t phase;
  /*
   From the left edge, 0 to 1.
   */
  float x;
  /*
   From the top edge, 0 to 1.
   */
  float y;
  /*
   0 to 1; 0 is not known.
   */
  float pressure;
} PunktfunkPadTouch;

/*
 What a session is asked to be: see `punktfunk_config_init`.
 */
typedef struct PunktfunkConfig {
  /*
   `sizeof(PunktfunkConfig)`.
   */
  uint32_t struct_size;
  /*
   The application, as numbered in the host's list. Default: `PUNKTFUNK_NO_APP`.
   */
  uint32_t app;
  /*
   Where the host is: a name or a number, with port 9777 where it has none. UTF-8 with
   a NUL. There is no default.
   */
  const char *address;
  /*
   The host's identity, `PUNKTFUNK_IDENTITY_SIZE` bytes, as `PunktfunkPaired` has it.
   NULL, the default, takes any host: only for trust on first use.
   */
  const uint8_t *host;
  /*
   A session to go on with, of an earlier life of this client:
   `PUNKTFUNK_SESSION_ID_SIZE` bytes, as `PunktfunkWelcome` has it. Default: NULL.
   */
  const uint8_t *resume;
  /*
   Codecs that can be decoded, most wanted first, ended by a 0 where there are fewer.
   Default: H.264.
   */
  uint32_t codecs[PUNKTFUNK_MAX_CODECS];
  /*
   Pixels, even, 64 to 16,384. Default: 1280.
   */
  uint32_t width;
  /*
   Pixels, even, 64 to 16,384. Default: 720.
   */
  uint32_t height;
  /*
   Thousandths of a hertz, 1,000 to 1,000,000. Default: 60,000.
   */
  uint32_t refresh_mhz;
  /*
   Video with parity, kbit/s, 500 to 4,000,000. Default: 20,000.
   */
  uint32_t bitrate_kbps;
  /*
   Channels of sound: 2, 6 or 8; 0 is no sound. Default: 2.
   */
  uint32_t channels;
  /*
   Most bytes of a media datagram, 1200 to 9000. Default: 9000.
   */
  uint32_t payload;
  /*
   1 when a microphone is offered. Default: 0.
   */
  uint32_t mic;
  /*
   How many pads there are, at most 16. Default: 0.
   */
  uint32_t pads;
  /*
   1 to launch the application when nothing of this client runs. Default: 1.
   */
  uint32_t launch;
  /*
   1 to play the sound on the host as well. Default: 0.
   */
  uint32_t local_sound;
  /*
   Milliseconds for which a lost connection is looked for again. Default: 60,000.
   */
  uint32_t patience_ms;
  /*
   Milliseconds that the handshake, and each answer of the host, may take. Default:
   15,000.
   */
  uint32_t timeout_ms;
} PunktfunkConfig;

/*
 Another picture; what is 0 stays as it is.
 */
typedef struct PunktfunkReconfigure {
  /*
   `sizeof(PunktfunkReconfigure)`.
   */
  uint32_t struct_size;
  /*
   Pixels, even, 64 to 16,384.
   */
  uint32_t width;
  /*
   Pixels, even, 64 to 16,384.
   */
  uint32_t height;
  /*
   Thousandths of a hertz, 1,000 to 1,000,000.
   */
  uint32_t refresh_mhz;
  /*
   `PUNKTFUNK_CODEC_...`.
   */
  uint32_t codec;
  /*
   Video with parity, kbit/s, 500 to 4,000,000.
   */
  uint32_t bitrate_kbps;
} PunktfunkReconfigure;

/*
 Figures of a session. Those of media begin anew with each connection.
 */
typedef struct PunktfunkStats {
  /*
   `sizeof(PunktfunkStats)`.
   */
  uint32_t struct_size;
  /*
   1 when `clock_offset_us` is known.
   */
  uint32_t clock_known;
  /*
   How far the host's clock is ahead, microseconds.
   */
  int64_t clock_offset_us;
  /*
   The shortest round trip of media of late, microseconds; 0: not known.
   */
  uint64_t round_trip_us;
  /*
   The round trip as QUIC sees it, microseconds; 0: not known.
   */
  uint64_t quic_round_trip_us;
  /*
   Whole frames.
   */
  uint64_t frames;
  /*
   Frames given up.
   */
  uint64_t frames_lost;
  /*
   Frames that came and could not be decoded without others.
   */
  uint64_t frames_undecodable;
  /*
   Frames dropped because nobody took them.
   */
  uint64_t frames_dropped;
  /*
   Other events dropped for the same reason.
   */
  uint64_t events_dropped;
  /*
   Shards that parity stood in for.
   */
  uint64_t shards_recovered;
  /*
   Shards that were kept.
   */
  uint64_t shards_kept;
  /*
   Shards that were not needed.
   */
  uint64_t shards_surplus;
  /*
   Requests for missing shards.
   */
  uint64_t repairs_asked;
  /*
   Calls for a picture that needs no other.
   */
  uint64_t pictures_asked;
  /*
   QUIC packets that were lost.
   */
  uint64_t quic_lost;
  /*
   How often the session came back.
   */
  uint64_t comebacks;
  /*
   Datagrams that were thrown away: damaged, foreign, or not understood.
   */
  uint64_t datagrams_refused;
} PunktfunkStats;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The version of this interface that the library has: at least the one of the header
 (`PUNKTFUNK_ABI_VERSION`), or the library is too old for the program.
 */
uint32_t punktfunk_abi_version(void);

/*
 Copies into `buffer` why the last function of this thread that failed did so: text for
 people, UTF-8, with a NUL, cut where the buffer is too small. Each thread has its own,
 and a call that works leaves it as it is. Returns the bytes that all of it takes, with
 its NUL.

 Pointers:
 `buffer` is NULL or has `size` writable bytes.
 */
size_t punktfunk_last_error(char *buffer, size_t size);

/*
 The `PUNKTFUNK_CODE_...` with which the host said no, of the last function of this
 thread that failed; `PUNKTFUNK_CODE_NONE` when it was not the host.
 */
uint32_t punktfunk_last_code(void);

/*
 Copies into `buffer` what a user can do about a `PUNKTFUNK_CODE_...`: English, UTF-8,
 with a NUL, cut where the buffer is too small. A code of a later version is answered
 like `PUNKTFUNK_CODE_FAILED`. Returns the bytes that all of it takes, with its NUL.

 Pointers:
 `buffer` is NULL or has `size` writable bytes.
 */
size_t punktfunk_advice(uint32_t code, char *buffer, size_t size);

/*
 The clock that times of this interface are of: microseconds, monotonic
 (`CLOCK_MONOTONIC`).
 */
uint64_t punktfunk_now(void);

/*
 Waits at most `timeout_ms` milliseconds for what happens next; `PUNKTFUNK_TIMEOUT` when
 it was nothing. `event` gets a handle to be given back with `punktfunk_event_release`,
 or NULL. After an event `PUNKTFUNK_EVENT_ENDED` always that again. Frames that nobody
 takes are dropped, the oldest first.

 Pointers:
 `event` is NULL or writable.
 */
uint32_t punktfunk_session_next(const struct PunktfunkSession *session,
                                uint32_t timeout_ms,
                                struct PunktfunkEvent **event);

/*
 What kind of event it is: `PUNKTFUNK_EVENT_...`; `PUNKTFUNK_EVENT_OTHER` also when the
 handle is NULL or was released.
 */
uint32_t punktfunk_event_kind(const struct PunktfunkEvent *event);

/*
 Closes the handle. What the event pointed to is gone.
 */
uint32_t punktfunk_event_release(struct PunktfunkEvent *event);

/*
 The frame of a `PUNKTFUNK_EVENT_FRAME`.

 Pointers:
 `frame` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_event_frame(const struct PunktfunkEvent *event, struct PunktfunkFrame *frame);

/*
 The numbers of a `PUNKTFUNK_EVENT_FRAMES_LOST`.

 Pointers:
 `lost` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_event_frames_lost(const struct PunktfunkEvent *event,
                                     struct PunktfunkFramesLost *lost);

/*
 The packet of a `PUNKTFUNK_EVENT_SOUND`.

 Pointers:
 `sound` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_event_sound(const struct PunktfunkEvent *event, struct PunktfunkSound *sound);

/*
 What the pad of a `PUNKTFUNK_EVENT_EFFECT` shall do.

 Pointers:
 `effect` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_event_effect(const struct PunktfunkEvent *event, struct PunktfunkEffect *effect);

/*
 The metadata of a `PUNKTFUNK_EVENT_HDR`.

 Pointers:
 `hdr` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_event_hdr(const struct PunktfunkEvent *event, struct PunktfunkHdr *hdr);

/*
 The picture of a `PUNKTFUNK_EVENT_RECONFIGURED`.

 Pointers:
 `now` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_event_reconfigured(const struct PunktfunkEvent *event,
                                      struct PunktfunkReconfigured *now);

/*
 What the client may do since a `PUNKTFUNK_EVENT_ACCESS`: `PUNKTFUNK_ACCESS_...` bits.

 Pointers:
 `access` is NULL or writable.
 */
uint32_t punktfunk_event_access(const struct PunktfunkEvent *event, uint32_t *access);

/*
 What was copied, of a `PUNKTFUNK_EVENT_CLIPBOARD`.

 Pointers:
 `clipboard` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_event_clipboard(const struct PunktfunkEvent *event,
                                   struct PunktfunkClipboard *clipboard);

/*
 The applications of a `PUNKTFUNK_EVENT_APPS`: as `punktfunk_apps` gives them.

 Pointers:
 `count` is NULL or writable; `apps` is NULL or has so many structs, each of as many
 bytes as the first says.
 */
uint32_t punktfunk_event_apps(const struct PunktfunkEvent *event,
                              struct PunktfunkApp *apps,
                              size_t *count);

/*
 Code and text of a `PUNKTFUNK_EVENT_REFUSED`, `..._INTERRUPTED` or `..._ENDED`.

 Pointers:
 `reason` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_event_reason(const struct PunktfunkEvent *event, struct PunktfunkReason *reason);

/*
 What was agreed on, of a `PUNKTFUNK_EVENT_RESUMED`.

 Pointers:
 `welcome` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_event_welcome(const struct PunktfunkEvent *event,
                                 struct PunktfunkWelcome *welcome);

/*
 Looks for hosts on the local network, and returns after `timeout_ms` milliseconds.
 `count` says how many structs there are at `hosts`, the first of which says its
 `struct_size`, and gets how many hosts were found, at most 64. With `PUNKTFUNK_BUFFER`
 as many as there is room for are filled in.

 Pointers:
 `count` is NULL or writable; `hosts` is NULL or has so many structs.
 */
uint32_t punktfunk_discover(uint32_t timeout_ms, struct PunktfunkHost *hosts, size_t *count);

/*
 Pairs with the host at `address` (a name or a number, with port 9777 where it has none)
 by the six digits that it shows. Takes up to a minute. Keep what `paired` gets.

 Pointers:
 `address` and `pin` are NULL or end with a NUL; `paired` is NULL or a struct of
 `struct_size` bytes.
 */
uint32_t punktfunk_pair_pin(const struct PunktfunkClient *client,
                            const char *address,
                            const char *pin,
                            struct PunktfunkPaired *paired);

/*
 Pairs by the text of the host's QR code. The rest is as with `punktfunk_pair_pin`.

 Pointers:
 `text` is NULL or ends with a NUL; `paired` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_pair_qr(const struct PunktfunkClient *client,
                           const char *text,
                           struct PunktfunkPaired *paired);

/*
 The applications of a paired host. `count` says how many structs there are at `apps`,
 the first of which says its `struct_size`, and gets how many applications there are, at
 most 512. With `PUNKTFUNK_BUFFER` as many as there is room for are filled in.

 Pointers:
 `address` is NULL or ends with a NUL; `host` is NULL or has `PUNKTFUNK_IDENTITY_SIZE`
 bytes; `count` is NULL or writable; `apps` is NULL or has so many structs.
 */
uint32_t punktfunk_apps(const struct PunktfunkClient *client,
                        const char *address,
                        const uint8_t *host,
                        struct PunktfunkApp *apps,
                        size_t *count);

/*
 A client whose identity is kept in `folder`, and made there when there is none. The
 file holds a private key, and only its owner may read it. `name` is what owners of
 hosts see, cut to 64 bytes. `client` gets a handle to be closed with
 `punktfunk_client_close`, or NULL.

 Pointers:
 `folder` and `name` are NULL or end with a NUL; `client` is NULL or writable.
 */
uint32_t punktfunk_client_load(const char *folder,
                               const char *name,
                               struct PunktfunkClient **client);

/*
 A client with a new identity, which nobody keeps but the caller:
 `punktfunk_client_certificate` and `punktfunk_client_key` tell it. The rest is as with
 `punktfunk_client_load`.

 Pointers:
 `name` is NULL or ends with a NUL; `client` is NULL or writable.
 */
uint32_t punktfunk_client_make(const char *name, struct PunktfunkClient **client);

/*
 A client with an identity that the caller kept: a certificate in DER and its private
 key in PKCS#8 DER. Both are copied. The rest is as with `punktfunk_client_load`.

 Pointers:
 `certificate` is NULL or has `certificate_size` bytes, `key` is NULL or has `key_size`;
 `name` is NULL or ends with a NUL; `client` is NULL or writable.
 */
uint32_t punktfunk_client_from_bytes(const uint8_t *certificate,
                                     size_t certificate_size,
                                     const uint8_t *key,
                                     size_t key_size,
                                     const char *name,
                                     struct PunktfunkClient **client);

/*
 Copies the client's certificate (DER) into `buffer`. `size` says how much room is
 there, and gets the size of the certificate.

 Pointers:
 `size` is NULL or writable; `buffer` is NULL or has so many writable bytes.
 */
uint32_t punktfunk_client_certificate(const struct PunktfunkClient *client,
                                      uint8_t *buffer,
                                      size_t *size);

/*
 Copies the client's private key (PKCS#8 DER) into `buffer`. `size` says how much room
 is there, and gets the size of the key. Who has it is this client: keep it well.

 Pointers:
 `size` is NULL or writable; `buffer` is NULL or has so many writable bytes.
 */
uint32_t punktfunk_client_key(const struct PunktfunkClient *client, uint8_t *buffer, size_t *size);

/*
 Copies the client's identity into `identity`: the SHA-256 of its public key, as a host
 shows it.

 Pointers:
 `identity` is NULL or has `PUNKTFUNK_IDENTITY_SIZE` writable bytes.
 */
uint32_t punktfunk_client_identity(const struct PunktfunkClient *client, uint8_t *identity);

/*
 Closes the handle. Sessions of the client go on.
 */
uint32_t punktfunk_client_close(struct PunktfunkClient *client);

/*
 A key went down (`down` is 1) or up (0). `code` is a key code of Linux
 (`input-event-codes.h`: `KEY_A` is 30).
 */
uint32_t punktfunk_input_key(const struct PunktfunkSession *session, uint32_t code, uint32_t down);

/*
 Text was entered, by whatever keys.

 Pointers:
 `text` is NULL or ends with a NUL.
 */
uint32_t punktfunk_input_text(const struct PunktfunkSession *session, const char *text);

/*
 The pointer moved by so many pixels of the picture; positive is right and down.
 */
uint32_t punktfunk_input_pointer_motion(const struct PunktfunkSession *session,
                                        double dx,
                                        double dy);

/*
 The pointer is at this place of the picture, both from 0 to 1.
 */
uint32_t punktfunk_input_pointer_position(const struct PunktfunkSession *session,
                                          double x,
                                          double y);

/*
 A button of the pointer went down (`down` is 1) or up (0). `code` is a button code of
 Linux (`input-event-codes.h`: `BTN_LEFT` is 0x110).
 */
uint32_t punktfunk_input_button(const struct PunktfunkSession *session,
                                uint32_t code,
                                uint32_t down);

/*
 The wheel turned, in 120ths of a notch; positive is right and up (away from the user).
 */
uint32_t punktfunk_input_scroll(const struct PunktfunkSession *session,
                                int32_t horizontal,
                                int32_t vertical);

/*
 Something was done with a finger.

 Pointers:
 `touch` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_input_touch(const struct PunktfunkSession *session,
                               const struct PunktfunkTouch *touch);

/*
 Something was done with a pen.

 Pointers:
 `pen` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_input_pen(const struct PunktfunkSession *session,
                             const struct PunktfunkPen *pen);

/*
 Everything that is held goes up: the client lost its focus.
 */
uint32_t punktfunk_input_release_all(const struct PunktfunkSession *session);

/*
 A packet of the microphone: Opus, 48 kHz, 10 ms, in order, 1 to 1000 bytes.

 Pointers:
 `packet` is NULL or has `size` bytes.
 */
uint32_t punktfunk_mic(const struct PunktfunkSession *session, const uint8_t *packet, size_t size);

/*
 Something was copied here, at most 65,000 bytes of the media type `mime`.

 Pointers:
 `mime` is NULL or ends with a NUL; `data` is NULL or has `size` bytes.
 */
uint32_t punktfunk_clipboard(const struct PunktfunkSession *session,
                             const char *mime,
                             const uint8_t *data,
                             size_t size);

/*
 A pad was attached: `kind` is `PUNKTFUNK_PAD_...`, `capabilities` are
 `PUNKTFUNK_PAD_CAN_...` bits, and `buttons` those that it has.
 */
uint32_t punktfunk_pad_arrived(const struct PunktfunkSession *session,
                               uint32_t pad,
                               uint32_t kind,
                               uint32_t capabilities,
                               uint32_t buttons);

/*
 Buttons, sticks and triggers of a pad.

 Pointers:
 `state` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_pad_state(const struct PunktfunkSession *session,
                             uint32_t pad,
                             const struct PunktfunkPadState *state);

/*
 A pad moved: `sensor` is `PUNKTFUNK_SENSOR_...`, whose unit `x`, `y` and `z` have; the
 axes are those of SDL.
 */
uint32_t punktfunk_pad_motion(const struct PunktfunkSession *session,
                              uint32_t pad,
                              uint32_t sensor,
                              float x,
                              float y,
                              float z);

/*
 Something was done with a pad's touchpad.

 Pointers:
 `touch` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_pad_touch(const struct PunktfunkSession *session,
                             uint32_t pad,
                             const struct PunktfunkPadTouch *touch);

/*
 What a pad's battery does: `charge` is `PUNKTFUNK_BATTERY_...`, `percent` 0 to 100 or
 `PUNKTFUNK_BATTERY_NO_PERCENT`.
 */
uint32_t punktfunk_pad_battery(const struct PunktfunkSession *session,
                               uint32_t pad,
                               uint32_t charge,
                               uint32_t percent);

/*
 A pad was taken away.
 */
uint32_t punktfunk_pad_removed(const struct PunktfunkSession *session, uint32_t pad);

/*
 Sets every field to its default. Set `struct_size` before.

 Pointers:
 `config` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_config_init(struct PunktfunkConfig *config);

/*
 Starts a session, or goes on with one; returns when the host agreed or refused.
 `session` gets a handle to be closed with `punktfunk_session_close`, or NULL. Nothing of
 `config` is used afterwards.

 Pointers:
 `config` is NULL or a struct of `struct_size` bytes whose pointers are NULL or what is
 said there; `session` is NULL or writable.
 */
uint32_t punktfunk_connect(const struct PunktfunkClient *client,
                           const struct PunktfunkConfig *config,
                           struct PunktfunkSession **session);

/*
 What was agreed on, kept up to date.

 Pointers:
 `welcome` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_session_welcome(const struct PunktfunkSession *session,
                                   struct PunktfunkWelcome *welcome);

/*
 Asks for another picture; an event `PUNKTFUNK_EVENT_RECONFIGURED` answers.

 Pointers:
 `wanted` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_session_reconfigure(const struct PunktfunkSession *session,
                                       const struct PunktfunkReconfigure *wanted);

/*
 Asks for the applications; an event `PUNKTFUNK_EVENT_APPS` answers.
 */
uint32_t punktfunk_session_list_apps(const struct PunktfunkSession *session);

/*
 Ends the application; an event `PUNKTFUNK_EVENT_ENDED` follows.
 */
uint32_t punktfunk_session_quit(const struct PunktfunkSession *session);

/*
 A frame was decoded: its number, the microseconds that it took, and how many frames wait
 for the decoder. The host goes by it when it chooses the rate.
 */
uint32_t punktfunk_session_decoded(const struct PunktfunkSession *session,
                                   uint32_t frame,
                                   uint32_t took_us,
                                   uint32_t backlog);

/*
 The decoder cannot go on without a key frame.
 */
uint32_t punktfunk_session_want_key_frame(const struct PunktfunkSession *session);

/*
 Goes on with another socket: after a change of networks, when the caller knows of it
 before the kernel does.
 */
uint32_t punktfunk_session_rebind(const struct PunktfunkSession *session);

/*
 Every figure of the session.

 Pointers:
 `stats` is NULL or a struct of `struct_size` bytes.
 */
uint32_t punktfunk_session_stats(const struct PunktfunkSession *session,
                                 struct PunktfunkStats *stats);

/*
 Says goodbye and closes the handle; the application goes on at the host. Takes two
 seconds at most. A thread that waits in `punktfunk_session_next` gets an event
 `PUNKTFUNK_EVENT_ENDED`. Events that were taken stay until they are released.
 */
uint32_t punktfunk_session_close(struct PunktfunkSession *session);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PUNKTFUNK_H */
