# ruff: noqa: E501 - one template to a line reads best
"""What people say in every conversation, whatever the agent is for, and what they say that is no agent's business.

`EVERYDAY` are the intents the offline language service brings itself. `ELSEWHERE` are remarks about other things: the
classifier learns from them what is out of scope. Both use the template language of `providers.phrases`, so the
recogniser can expect these words too.
"""

from __future__ import annotations

from providers.phrases import Intent, Phrases

EVERYDAY = Phrases(
    intents=(
        Intent(
            "help",
            (
                "what can you do [for me|here|exactly|today|please]",
                "[so|okay|and] what (can|could|do) you (do|help me with|help with|offer) [then|please]",
                "what (else|other things|more) can you do",
                "(help|help me|i need help|i need some help|can you help me|could you help me|help please)",
                "(how can|how could|in what way can) you help [me]",
                "what (can|could|should|may|do) i (ask|say|ask you|say to you|ask for|do here|do) [here|now|please]",
                "what are (my|the) options [please]",
                "(tell me|explain|list|say) what you can do [please]",
                "(give me|tell me) (the|my) (options|menu|choices) [please]",
                "(what|which) (things|services|kind of things|questions|commands) (can|do) you (do|answer|offer|know|support|understand)",
                "(how does this work|how do i use this|how does it work|what is this|what is this for|what are you for)",
                "i (don't know|do not know|am not sure) what to (say|ask|do)",
                "what are you (able to do|good for|good at|capable of)",
                "(main menu|options|menu|instructions) [please]",
                "(i'm|i am) (lost|confused|stuck)",
            ),
        ),
        Intent(
            "repeat",
            (
                "(repeat|repeat that|repeat it|repeat please|please repeat|please repeat that) [please|for me|again|once more|one more time]",
                "(say|tell me) (that|it) (again|one more time|once more|another time) [please]",
                "(can|could|would|will) you [please] (repeat|say) (that|it|what you said|yourself|your answer|the last part|that last bit) [again|once more|one more time|for me] [please]",
                "(what|sorry what|what what) did you (say|just say|say just now|tell me)",
                "(pardon|pardon me|i beg your pardon|beg your pardon|excuse me|sorry|come again|what|huh|what was that|sorry what was that|what's that)",
                "i (didn't|did not|couldn't|could not|can't|don't) (hear|catch|get|understand|follow) (that|you|it|what you said|the last part|a word) [sorry]",
                "(sorry|sorry sorry) i (missed|didn't hear|didn't catch|didn't get) (that|it|you|the last bit)",
                "(one more time|once more|again|once again) [please]",
                "(could|can) i hear (that|it) again [please]",
                "please (come again|tell again|say again|tell once again)",
                "(i was not listening|i wasn't listening|i got distracted) [say that again|sorry]",
                "(read|give) (that|it|them|me that|them to me) [to me] again [please]",
            ),
        ),
        Intent(
            "slower",
            (
                "[please] (slower|slow down|speak slower|talk slower|go slower|more slowly|slowly|slowly please) [please]",
                "[please] (speak|talk|go|say it|say that|read it|read) [a bit|a little|a little bit|much] (more slowly|slower|slowly) [please]",
                "(can|could|would) you [please] (speak|talk|go|say it|say that|read it) [a bit|a little|a little bit] (more slowly|slower) [please]",
                "(can|could|would) you [please] slow down [a bit|a little|please]",
                "(you're|you are|that's|that was|it's|this is) [speaking|talking|going] [far|way|much|a bit|a little] too (fast|quick|quickly) [for me|please]",
                "not so (fast|quick|quickly) [please]",
                "(don't|do not) (talk|speak|go) so fast",
                "(slow it down|slow down please|easy|tell slowly|say it slowly) [please]",
            ),
        ),
        Intent(
            "faster",
            (
                "[please] (faster|speed up|speak faster|talk faster|go faster|quicker|more quickly) [please]",
                "[please] (speak|talk|go|say it) [a bit|a little|a little bit|much] (faster|quicker|more quickly) [please]",
                "(can|could|would) you [please] (speak|talk|go) [a bit|a little] (faster|quicker|more quickly) [please]",
                "(can|could) you [please] (speed up|hurry up|hurry|be quicker) [a bit|a little|please]",
                "(you're|you are|that's|that was|it's) [speaking|talking|going] [far|way|much|a bit|a little] too slow [for me|please]",
                "(hurry up|hurry|come on|not so slow|speed it up|normal speed|back to normal speed) [please]",
            ),
        ),
        Intent(
            "greeting",
            (
                "(hi|hello|hey|hello there|hi there|hey there|good morning|good afternoon|good evening|greetings|namaste|good day) [sir|madam|to you|bank|again]",
                "(hello hello|hi hi|hey you|hello hi|yo)",
                "(good morning|hello|hi) (how are you|how are you doing|how's it going|how do you do)",
            ),
            reply="Hello. How can I help you?",
        ),
        Intent(
            "how_are_you",
            (
                "(how are you|how are you doing|how's it going|how are things|how do you do|how are you today|what's up|how have you been|are you okay|are you well) [today]",
                "(nice|good|pleased) to (meet|talk to|hear) you",
            ),
            reply="I'm well, thank you. How can I help you?",
        ),
        Intent(
            "who_are_you",
            (
                "(who|what) are you [please|exactly|then]",
                "(who am i|who i am|to whom am i) (talking|speaking) (to|with)",
                "(what's|what is|tell me|do you have|say) (your|a) name [please]",
                "are you (a|an) (robot|machine|human|person|real person|computer|bot|a i|program|recording|real human|human being)",
                "are you (real|human|alive|a real person|an actual person|artificial)",
                "(is this|am i talking to|am i speaking to|am i speaking with) (a|an) (robot|machine|human|person|real person|computer|bot|recording)",
                "(who is this|who's this|who's there|who made you|introduce yourself|tell me about yourself)",
                "what (kind|sort) of (thing|assistant|robot|program) are you",
            ),
            reply="I'm an automatic voice assistant, not a person.",
        ),
        Intent(
            "hear_me",
            (
                "(can|could|do) you hear (me|my voice) [now|okay|well|properly|alright|clearly]",
                "(are you there|are you still there|hello are you there|anyone there|is anyone there|is anybody there|you there)",
                "(am i audible|is my voice clear|is my voice coming|is my microphone working|is this working|is this thing on|testing|testing testing|mic test)",
                "(hello can you hear me|did you hear me|did you hear that|did you get that|are you listening)",
            ),
            reply="Yes, I can hear you. How can I help?",
        ),
        Intent(
            "thanks",
            (
                "(thanks|thank you|thank you so much|thanks a lot|thank you very much|many thanks|thanks very much|cheers|much appreciated|thanks so much) [sir|madam|then|for that|for your help|for the help]",
                "(great|good|perfect|lovely|wonderful|okay|alright|excellent|brilliant|fine|super) (thanks|thank you|thank you very much|thanks a lot)",
                "(that's|that was|that is) (great|good|perfect|very helpful|helpful|very kind|kind of you|nice) [thanks|thank you]",
                "(well done|good job|nice|nice work|awesome|great job|you're great|very good|you've been helpful)",
                "i (appreciate it|appreciate your help|appreciate that|am grateful)",
            ),
            reply="You're welcome. Is there anything else?",
        ),
        Intent(
            "yes",
            (
                "(yes|yeah|yep|yup|sure|of course|okay|ok|right|correct|exactly|absolutely|definitely|certainly|indeed|yes please|please do|go ahead|that's right|that is correct|that's correct|fine|alright|sounds good|i do|yes i do|yes it is|please) [please|sir|madam]",
                "(yes|yeah|okay) (yes|yeah|go ahead|please|do it|do that|that's right|that's correct|correct|right|sure|of course)",
                "(do it|do that|confirm|i confirm|confirmed|go on|carry on|continue|proceed|let's do it|haan|ha ji)",
            ),
            reply="All right. What would you like to know?",
        ),
        Intent(
            "no",
            (
                "(no|nope|nah|no no|not really|no thanks|no thank you|no please|no don't|wrong|that's wrong|that is wrong|incorrect|not that|no not that|that's not right|that is not correct|i don't think so|i do not|negative|nahi) [sir|madam|please]",
                "(no|no no) (that's wrong|that's not it|that's not what i want|that's not what i said|i don't|it isn't|not that one|wrong one)",
            ),
            reply="All right. What would you like instead?",
        ),
        Intent(
            "cancel",
            (
                "(never mind|nevermind|forget it|forget that|cancel|cancel that|cancel it|leave it|stop|stop it|stop that|stop talking|be quiet|quiet|shut up|drop it|enough|let it be|doesn't matter|it doesn't matter|don't bother|no leave it) [please|then|now]",
                "(i changed my mind|i've changed my mind|i made a mistake|start over|start again|let's start over|go back|back|wait no cancel that|actually never mind|actually forget it)",
            ),
            reply="Okay, never mind. What else can I do for you?",
        ),
        Intent(
            "wait",
            (
                "(wait|hold on|hang on|one moment|one second|just a moment|just a second|just a minute|give me a moment|give me a second|one minute|wait a minute|wait a second|a moment|let me think|let me see|let me check) [please]",
                "(can|could) you (wait|hold on|hold|hang on) [a moment|a second|a minute|please]",
            ),
            reply="Take your time.",
        ),
        Intent(
            "louder",
            (
                "[please] (louder|speak up|speak louder|talk louder|turn it up|volume up|increase the volume) [please]",
                "(can|could) you [please] (speak up|speak louder|be louder|talk louder|raise your voice) [a bit|a little|please]",
                "(i can't|i cannot|i can hardly|i can barely) hear you [well|properly|clearly]",
                "(you're|you are|it's|that's) too (quiet|soft|loud|low)",
                "[please] (quieter|softer|turn it down|volume down|lower the volume|speak softer|not so loud) [please]",
            ),
            reply="I can't change my volume. Please use the volume control on your side.",
        ),
        Intent(
            "goodbye",
            (
                "(bye|goodbye|good bye|bye bye|see you|see you later|see you soon|farewell|take care|so long|talk to you later|good night|have a good day|have a nice day|cheerio|ta ta) [then|now|sir|madam|bye]",
                "(okay|ok|alright|thanks|thank you|right|great|fine|no) (bye|goodbye|bye bye|bye for now|that's all|that is all|that will be all|that's it|i'm done|nothing else|i'm finished)",
                "(that's all|that is all|that will be all|that'll be all|that was all|that's it|that is it|that's everything) [thanks|thank you|for now|for today|i needed|i wanted|bye|goodbye]",
                "(nothing else|nothing more|no nothing|no nothing else|nothing|i don't need anything else|no more questions|no further questions) [thanks|thank you|for now|bye]",
                "(i'm done|i am done|we're done|i'm finished|i'm good|i'm all set|all done|all good) [thanks|thank you|now|bye|here]",
                "(hang up|end the call|end call|end this call|finish the call|disconnect|stop the call|cut the call|put the phone down|you can hang up|close the call|quit|exit) [please|now]",
                "i (have to|need to|must|should|gotta|want to|would like to) (go|leave|run|hang up|end the call|go now) [now|bye]",
                "(no thanks|no thank you) (bye|goodbye|bye bye)",
                "(no that's all|no i'm fine|no i'm good) [bye|goodbye|thanks|thank you]",
            ),
        ),
    ),
    can_do="",
)

ELSEWHERE = (
    "(what's|what is|how is|how's) the weather [like] [today|tomorrow|outside|in london|in mumbai|this weekend]",
    "(will it|is it going to|does it) (rain|snow|be sunny|be hot|be cold) [today|tomorrow|this week]",
    "(tell me|say|do you know) (a joke|another joke|something funny|a story|a riddle|a poem|a fun fact)",
    "(sing|play|put on) [me] (a song|some music|music|jazz|the radio|my playlist|a movie|the news|a game)",
    "(who|which team) (won|is winning|will win|is playing) [the] (match|game|world cup|cricket|football|election|race) [today|yesterday|last night]",
    "(what's|what is) the (score|capital of france|tallest mountain|meaning of life|population of india|speed of light|distance to the moon)",
    "(who is|who's|who was) the (president|prime minister|king|queen|boss of google|richest man|captain of the team) [of america|of india|of france]",
    "(order|get me|i want|i'd like|can i get|bring me) (a pizza|a coffee|some food|a burger|chinese food|a sandwich|groceries|flowers|a taxi|a cab|a beer)",
    "(find|recommend|book|reserve|suggest) [me] (a restaurant|a hotel|a flight|a train ticket|a table for two|a holiday|a good movie|a barber)",
    "(how do i|how can i|how to) (cook rice|bake a cake|fix my car|lose weight|learn french|tie a tie|get to the airport|make tea|fix my computer|grow tomatoes)",
    "(what is|what's) (the best|a good) (phone|laptop|car|book|recipe|restaurant|movie|diet|school)",
    "(turn|switch) (on|off) the (lights|light|tv|heating|fan|air conditioner|oven|alarm)",
    "(set|wake me|give me|start) (an alarm|a timer|a reminder) (for|at) (seven|ten minutes|tomorrow morning|six thirty)",
    "(what's|what is) (two plus two|nine times seven|the square root of sixteen|ten percent of fifty|fifteen minus six)",
    "(how old|how tall|how smart|how clever|how big) are you",
    "(do you|can you|could you) (love me|like cats|sleep|dream|dance|cook|speak french|speak hindi|play chess|drive a car|write a poem|sing|read minds|have children|like me)",
    "(will you|would you) (marry me|be my friend|go out with me|come home)",
    "(i love you|i hate you|i'm bored|i am tired|i'm hungry|i feel sad|i am sick|my head hurts|i had a bad day|i'm so happy|i'm angry)",
    "(my|the) (dog|cat|son|daughter|neighbour|brother|car|computer|television|phone) (is|was) (sick|lost|crying|broken|hungry|outside|late|loud|ill)",
    "(where is|where's|how far is) (the nearest|the closest|a good) (petrol station|restaurant|hospital|supermarket|toilet|pharmacy|park|train station)",
    "(what|which) (film|movie|book|song|show|game|programme) (should i|do you|would you) (watch|read|like|recommend|play)",
    "(translate|how do you say|what is) (hello|thank you|water|good morning) in (french|spanish|hindi|german)",
    "(what's|what is) (happening|new|going on) in the (world|news|city|town)",
    "(who|what) (invented|discovered|wrote|painted) (the telephone|electricity|the bible|hamlet|the mona lisa|america)",
    "(how many|how much) (people live in india|calories are in an apple|planets are there|days are in a year|does an elephant weigh|stars are in the sky)",
    "(when|what time) (is|does) (christmas|easter|the sun set|the match start|the train leave|the film start|diwali|the shop open)",
    "(buy|sell|should i buy|what's the price of) (bitcoin|gold|apple shares|a house|tesla stock|a new car|petrol|onions)",
    "(call|text|message|email|ring) (my mother|mom|dad|my wife|my boss|john|the police|the doctor|a taxi)",
    "(open|start|install|download|close) (youtube|facebook|the camera|whats app|google maps|the browser|the app)",
    "(are you|you are|you're) (stupid|funny|married|from america|smart|crazy|nice|hungry|a girl|a woman|useless|kidding|joking)",
    "(the|a) (quick brown fox|train was late again|children are at school|cat sat on the mat|coffee is cold|kitchen is dirty)",
    "(i was|we were|they were|he was|she was) (just|only) (talking to my wife|talking to someone else|watching television|making dinner|on the bus|joking)",
    "(can you|could you|will you) (pick up my kids|clean the house|do my homework|write my essay|walk the dog|wash the dishes|fix the printer)",
    "(why|how come) (is the sky blue|do cats purr|is it so hot|are you so slow|do birds fly|is the moon round)",
    "(are there|is there) (life on mars|ghosts|a god|any news|a strike today|a holiday tomorrow|traffic on the road)",
    "(what should i|what can i) (wear|eat|cook|have) (today|tonight|for dinner|for lunch|to the party)",
    "(is|was) (it|today|tomorrow) (a holiday|my birthday|monday|a good day|sunny|windy)",
    "(what|what's|what is) (day|the date|the time|time) (is it|today|now|tomorrow)",
    "(he|she|they|we) (went|walked|drove|ran|moved|came) (to school|to the shop|home|to the beach|to another city|back)",
    "(do you think|i think|i believe|maybe) (it will rain|he is right|we should go|they are late|it's a good idea|she likes me)",
    "(where|when|why) (did you|were you|do you|are you) (born|live|come from|sleep|laughing|asking me that|learn english)",
    "(hey|listen|look|oh) (siri|google|alexa|darling|there's someone at the door|i'm on the phone|be quiet over there|come here|dinner is ready)",
    "(tell me|teach me|show me) (about|something about) (history|space|dinosaurs|cooking|india|football|physics|your day|the moon)",
    "(which|what) (doctor|dentist|lawyer|plumber|teacher|lawyer|colour|animal|city|country) (do you|should i|would you) (recommend|see|call|like|visit|choose)",
)
